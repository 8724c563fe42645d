-- Baselines of one channel, from each patient's day values before the change.
INSERT INTO affect.baselines (
    patient_key, model_digest, channel, segment, state, reason, ready_on, first_day, last_day, n_days, mean, sd,
    autocorrelation, as_of_night
)
SELECT
    day_values.patient_key,
    day_values.model_digest,
    day_values.channel,
    1,
    CASE WHEN count(*) >= 14 THEN 'ready' ELSE 'too_little_data' END,
    CASE WHEN count(*) < 14 THEN 'fewer than 14 day values' END,
    CASE WHEN count(*) < 14 THEN cast(:last_day AS date) + 14 - cast(count(*) AS integer) END,
    min(day_values.local_day),
    max(day_values.local_day),
    count(*),
    avg(day_values.value),
    greatest(coalesce(stddev_samp(day_values.value), 0), 0.05),
    0.3,
    cast(:last_day AS date) + 1
FROM affect.day_values
WHERE
    day_values.channel = :channel
    AND (day_values.local_day <= cast(:last_day AS date) - 20 OR cast(:n_days AS integer) < 40)
GROUP BY day_values.patient_key, day_values.model_digest, day_values.channel
ON CONFLICT DO NOTHING;
