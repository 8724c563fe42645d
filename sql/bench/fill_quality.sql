-- Quality of the made-up recordings of the days from :first to :last.
INSERT INTO affect.audio_quality (journal_id, duration_s, speech_s, speech_ratio, silence_ratio, snr_db, clipping_ratio)
SELECT
    journals.journal_id,
    40,
    20 + draws.draw * 15,
    0.7,
    0.3,
    CASE
        WHEN journals.status = 'quarantined' THEN 8 WHEN journals.status = 'warned' THEN 15
        ELSE 20 + draws.draw * 20
    END,
    0.001
FROM affect.journals
CROSS JOIN
    LATERAL (
        SELECT (hashtextextended(journals.journal_id, cast(:seed AS bigint)) & 1048575) / 1048575.0 AS draw
    ) AS draws
WHERE journals.local_day BETWEEN :first AND :last;
