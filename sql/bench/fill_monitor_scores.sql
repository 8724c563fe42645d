-- What the model heard in the journals of one made-up night.
INSERT INTO affect.scores (
    local_day, journal_id, patient_key, model_digest, depression_probability, depression_logit,
    depression_logit_se, valence, valence_se, arousal, arousal_se, n_windows
)
SELECT
    journals.local_day,
    journals.journal_id,
    journals.patient_key,
    :model_digest,
    0.5 AS depression_probability,
    random_normal() AS depression_logit,
    0.3 AS depression_logit_se,
    random() - 0.5 AS valence,
    0.1 AS valence_se,
    random() - 0.5 AS arousal,
    0.1 AS arousal_se,
    3 AS n_windows
FROM affect.journals
WHERE journals.night = :night;
