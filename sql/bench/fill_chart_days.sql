-- What the chart of one channel expected and found on each day.
INSERT INTO affect.chart_days (
    patient_key, model_digest, channel, local_day, expected, band_low, band_high, statistic, limit_value, signal
)
SELECT
    day_values.patient_key,
    day_values.model_digest,
    cast(:chart AS text),
    day_values.local_day,
    CASE WHEN :chart = :channel THEN baselines.mean END,
    CASE WHEN :chart = :channel THEN baselines.mean - 2 * baselines.sd END,
    CASE WHEN :chart = :channel THEN baselines.mean + 2 * baselines.sd END,
    abs(day_values.value - baselines.mean) / baselines.sd,
    2,
    abs(day_values.value - baselines.mean) > 2 * baselines.sd
FROM affect.day_values
INNER JOIN affect.baselines
    ON
        day_values.patient_key = baselines.patient_key
        AND day_values.model_digest = baselines.model_digest
        AND day_values.channel = baselines.channel
WHERE day_values.channel = :channel AND baselines.state = 'ready'
ORDER BY day_values.patient_key, day_values.local_day
ON CONFLICT DO NOTHING;
