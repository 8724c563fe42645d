-- Journals of patients from :first_key to :last_key with what a model heard and what was measured, by the night they
-- are due on: that of their arrival, or their local day where that is later. :patients narrows it to some patients.
-- A result row holds thousands of them, each column as one piece in binary: a row each would cost more than what is
-- in it.
WITH known AS (
    SELECT
        journals.journal_id,
        journals.patient_key,
        journals.night - date '1970-01-01' AS night,
        journals.local_day - date '1970-01-01' AS day,
        replace(coalesce(journals.device, ''), e'\x1f', ' ') AS device,
        scores.journal_id IS NOT NULL AS accepted,
        scores.depression_logit,
        scores.valence,
        scores.arousal,
        biomarkers.f0_sd_st,
        biomarkers.speech_rate_hz,
        biomarkers.pause_rate_per_min,
        biomarkers.energy_sd_db,
        scores.depression_logit_se,
        scores.valence_se,
        scores.arousal_se,
        row_number() OVER (ORDER BY journals.patient_key, journals.local_day, journals.journal_id) AS n
    FROM affect.journals
    LEFT JOIN affect.scores
        ON
            journals.journal_id = scores.journal_id
            AND journals.local_day = scores.local_day
            AND scores.model_digest = :model_digest
            AND journals.status IN ('accepted', 'warned')
    LEFT JOIN affect.biomarkers
        ON
            scores.journal_id = biomarkers.journal_id
            AND scores.local_day = biomarkers.local_day
    WHERE
        journals.patient_key BETWEEN :first_key AND :last_key
        -- due on the night of arrival, or the night after for a local day that this night has not reached; the first
        -- condition says the same less exactly, so that the index on nights finds the few rows of one night
        AND journals.night BETWEEN cast(:first_due AS date) - 1 AND :last_due
        AND greatest(journals.night, journals.local_day) BETWEEN :first_due AND :last_due
        AND journals.local_day <= journals.night + 1
        AND journals.local_day >= :first_day
        AND journals.recorded_at IS NOT NULL
        AND (journals.status = 'quarantined' OR scores.journal_id IS NOT NULL)
        AND (
            cast(:patients AS text[]) IS NULL
            OR journals.patient_key = any(cast(:patients AS text[]))
        )
)

SELECT
    cast(count(*) AS integer) AS n_journals,
    string_agg(known.journal_id, '' ORDER BY known.n) AS journal_id,
    string_agg(known.patient_key, '' ORDER BY known.n) AS patient_key,
    string_agg(int4send(known.night), '' ORDER BY known.n) AS night,
    string_agg(int4send(known.day), '' ORDER BY known.n) AS day,
    string_agg(known.device, e'\x1f' ORDER BY known.n) AS device,
    string_agg(int4send(cast(known.accepted AS integer)), '' ORDER BY known.n) AS accepted,
    string_agg(float8send(coalesce(known.depression_logit, 'NaN')), '' ORDER BY known.n) AS depression_logit,
    string_agg(float8send(coalesce(known.valence, 'NaN')), '' ORDER BY known.n) AS valence,
    string_agg(float8send(coalesce(known.arousal, 'NaN')), '' ORDER BY known.n) AS arousal,
    string_agg(float8send(coalesce(known.f0_sd_st, 'NaN')), '' ORDER BY known.n) AS f0_sd_st,
    string_agg(float8send(coalesce(known.speech_rate_hz, 'NaN')), '' ORDER BY known.n) AS speech_rate_hz,
    string_agg(float8send(coalesce(known.pause_rate_per_min, 'NaN')), '' ORDER BY known.n) AS pause_rate_per_min,
    string_agg(float8send(coalesce(known.energy_sd_db, 'NaN')), '' ORDER BY known.n) AS energy_sd_db,
    string_agg(float8send(coalesce(known.depression_logit_se, 'NaN')), '' ORDER BY known.n) AS depression_logit_se,
    string_agg(float8send(coalesce(known.valence_se, 'NaN')), '' ORDER BY known.n) AS valence_se,
    string_agg(float8send(coalesce(known.arousal_se, 'NaN')), '' ORDER BY known.n) AS arousal_se
FROM known
GROUP BY known.n / 8192
ORDER BY known.n / 8192
