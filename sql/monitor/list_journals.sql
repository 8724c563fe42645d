-- Journals of patients from :first_key to :last_key with what a model heard and what was measured, by the night they
-- are due on: that of their arrival, or their local day where that is later. :patients narrows it to some patients.
SELECT
    journals.journal_id,
    journals.patient_key,
    journals.night - date '1970-01-01' AS night,
    journals.local_day - date '1970-01-01' AS day,
    coalesce(journals.device, '') AS device,
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
    scores.arousal_se
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
ORDER BY journals.patient_key, journals.local_day, journals.journal_id
