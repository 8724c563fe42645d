-- Day values of all channels. Channels other than depression are the same curve on another scale; a channel whose
-- centre is not given stays empty.
INSERT INTO affect.monitored_days (
    patient_key, model_digest, local_day, n_journals, depression, valence, arousal, pitch_variability, speech_rate,
    pause_rate, energy_variability, depression_se, valence_se, arousal_se
)
SELECT
    scores.patient_key,
    scores.model_digest,
    scores.local_day,
    1,
    cast(:depression_centre AS double precision)
    + cast(:depression_slope AS double precision) * (scores.depression_logit + 1.2),
    cast(:valence_centre AS double precision)
    + cast(:valence_slope AS double precision) * (scores.depression_logit + 1.2),
    cast(:arousal_centre AS double precision)
    + cast(:arousal_slope AS double precision) * (scores.depression_logit + 1.2),
    cast(:pitch_variability_centre AS double precision)
    + cast(:pitch_variability_slope AS double precision) * (scores.depression_logit + 1.2),
    cast(:speech_rate_centre AS double precision)
    + cast(:speech_rate_slope AS double precision) * (scores.depression_logit + 1.2),
    cast(:pause_rate_centre AS double precision)
    + cast(:pause_rate_slope AS double precision) * (scores.depression_logit + 1.2),
    cast(:energy_variability_centre AS double precision)
    + cast(:energy_variability_slope AS double precision) * (scores.depression_logit + 1.2),
    abs(cast(:depression_slope AS double precision)) * 0.4,
    abs(cast(:valence_slope AS double precision)) * 0.4,
    abs(cast(:arousal_slope AS double precision)) * 0.4
FROM affect.scores
WHERE scores.model_digest = :model_digest
ORDER BY scores.patient_key, scores.local_day
ON CONFLICT DO NOTHING;
