-- One page of a patient's recordings, newest first, with their quality and score.
SELECT
    journals.journal_id,
    journals.recorded_at,
    journals.local_day,
    journals.night,
    journals.time_zone,
    journals.device,
    journals.prompt,
    journals.status,
    journals.problem,
    journals.failed,
    journals.warned,
    audio_quality.duration_s,
    audio_quality.speech_s,
    audio_quality.snr_db,
    audio_quality.clipping_ratio,
    scores.depression_probability,
    scores.valence,
    scores.arousal
FROM affect.journals
LEFT JOIN affect.audio_quality ON journals.journal_id = audio_quality.journal_id
LEFT JOIN affect.scores
    ON
        journals.journal_id = scores.journal_id
        AND journals.local_day = scores.local_day
        AND scores.model_digest = :model_digest
WHERE
    journals.patient_key = :patient_key
    AND (cast(:first_day AS date) IS NULL OR journals.local_day >= :first_day)
    AND (cast(:last_day AS date) IS NULL OR journals.local_day <= :last_day)
    AND (
        cast(:after_day AS date) IS NULL
        OR (journals.local_day, journals.journal_id) < (cast(:after_day AS date), cast(:after_id AS text))
    )
ORDER BY journals.local_day DESC, journals.journal_id DESC
LIMIT :page_size;
