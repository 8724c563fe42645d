-- The current baselines of one patient under one model version.
SELECT
    baselines.channel,
    baselines.segment,
    baselines.state,
    baselines.reason,
    baselines.ready_on,
    baselines.first_day,
    baselines.last_day,
    baselines.n_days,
    baselines.mean,
    baselines.sd,
    baselines.autocorrelation,
    baselines.as_of_night
FROM affect.baselines
WHERE baselines.patient_key = :patient_key AND baselines.model_digest = :model_digest
ORDER BY baselines.channel;
