-- Day values of one channel. Channels other than depression are the same curve on another scale.
INSERT INTO affect.day_values (patient_key, model_digest, channel, local_day, value, se, n_journals)
SELECT
    scores.patient_key,
    scores.model_digest,
    :channel,
    scores.local_day,
    cast(:centre AS double precision) + cast(:slope AS double precision) * (scores.depression_logit + 1.2),
    abs(cast(:slope AS double precision)) * 0.4,
    1
FROM affect.scores
WHERE scores.model_digest = :model_digest
ORDER BY scores.patient_key, scores.local_day
ON CONFLICT DO NOTHING;
