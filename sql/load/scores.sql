-- A recording counts for the day and the patient of its journal, whatever the loader believed.
INSERT INTO affect.scores AS t (
    local_day, journal_id, patient_key, model_digest, depression_probability, depression_logit,
    depression_logit_se, valence, valence_se, arousal, arousal_se, n_windows
)
SELECT
    coalesce(j.local_day, s.local_day) AS local_day,
    s.journal_id,
    coalesce(j.patient_key, s.patient_key) AS patient_key,
    s.model_digest,
    s.depression_probability,
    s.depression_logit,
    s.depression_logit_se,
    s.valence,
    s.valence_se,
    s.arousal,
    s.arousal_se,
    s.n_windows
FROM pg_temp.staging_scores AS s
LEFT JOIN affect.journals AS j ON s.journal_id = j.journal_id
ORDER BY local_day, s.journal_id, s.model_digest
ON CONFLICT (local_day, journal_id, model_digest) DO UPDATE SET
    patient_key = excluded.patient_key,
    depression_probability = excluded.depression_probability,
    depression_logit = excluded.depression_logit,
    depression_logit_se = excluded.depression_logit_se,
    valence = excluded.valence,
    valence_se = excluded.valence_se,
    arousal = excluded.arousal,
    arousal_se = excluded.arousal_se,
    n_windows = excluded.n_windows
-- Writing a row that is there already would cost as much as a change.
WHERE
(
    t.patient_key, t.depression_probability, t.depression_logit, t.depression_logit_se, t.valence,
    t.valence_se, t.arousal, t.arousal_se, t.n_windows
) IS DISTINCT FROM (
    excluded.patient_key, excluded.depression_probability, excluded.depression_logit,
    excluded.depression_logit_se, excluded.valence, excluded.valence_se, excluded.arousal,
    excluded.arousal_se, excluded.n_windows
);
