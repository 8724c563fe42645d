-- A day that is charted again gets the new values.
INSERT INTO affect.chart_days AS t (
    patient_key, model_digest, channel, local_day, expected, band_low, band_high, statistic, limit_value,
    signal
)
SELECT
    s.patient_key,
    s.model_digest,
    s.channel,
    s.local_day,
    s.expected,
    s.band_low,
    s.band_high,
    s.statistic,
    s.limit_value,
    s.signal
FROM pg_temp.staging_chart_days AS s
ORDER BY s.patient_key, s.model_digest, s.channel, s.local_day
ON CONFLICT (patient_key, model_digest, channel, local_day) DO UPDATE SET
    expected = excluded.expected,
    band_low = excluded.band_low,
    band_high = excluded.band_high,
    statistic = excluded.statistic,
    limit_value = excluded.limit_value,
    signal = excluded.signal
-- Writing a row that is there already would cost as much as a change.
WHERE
(
    t.expected, t.band_low, t.band_high, t.statistic, t.limit_value, t.signal
) IS DISTINCT FROM (
    excluded.expected, excluded.band_low, excluded.band_high, excluded.statistic,
    excluded.limit_value, excluded.signal
);
