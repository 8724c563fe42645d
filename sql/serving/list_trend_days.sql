-- Day values of one patient beside what the chart expected on that day.
SELECT
    coalesce(day_values.channel, chart_days.channel) AS channel,
    coalesce(day_values.local_day, chart_days.local_day) AS local_day,
    day_values.value,
    day_values.se,
    day_values.n_journals,
    chart_days.expected,
    chart_days.band_low,
    chart_days.band_high,
    chart_days.statistic,
    chart_days.limit_value,
    chart_days.signal
FROM (
    SELECT day_values.* FROM affect.day_values
    WHERE
        day_values.patient_key = :patient_key
        AND day_values.model_digest = :model_digest
        AND day_values.local_day BETWEEN :first_day AND :last_day
) AS day_values
FULL JOIN (
    SELECT chart_days.* FROM affect.chart_days
    WHERE
        chart_days.patient_key = :patient_key
        AND chart_days.model_digest = :model_digest
        AND chart_days.local_day BETWEEN :first_day AND :last_day
) AS chart_days ON day_values.channel = chart_days.channel AND day_values.local_day = chart_days.local_day
ORDER BY channel, local_day;
