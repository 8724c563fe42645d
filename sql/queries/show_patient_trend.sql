-- One patient's days beside what the chart expected. Takes :patient_key (or its beginning), :channel and :since.
SELECT
    t.patient_key,
    t.channel,
    t.local_day,
    t.value,
    t.expected,
    t.band_low,
    t.band_high,
    t.deviation_sd,
    t.mean_7_days,
    t.signal,
    t.n_journals
FROM affect.patients AS p
CROSS JOIN
    LATERAL (
        -- OFFSET 0 keeps the planner from pulling this out, after which it would read everybody's days.
        SELECT * FROM affect.patient_trends AS x
        WHERE x.patient_key = p.patient_key AND x.channel = coalesce(cast(:channel AS text), 'depression') -- noqa: RF03
        ORDER BY x.local_day
        OFFSET 0
    ) AS t
WHERE
    p.patient_key LIKE coalesce(cast(:patient_key AS text), '') || '%'
    AND t.local_day >= coalesce(cast(:since AS date), date '-infinity')
ORDER BY t.patient_key, t.channel, t.local_day;
