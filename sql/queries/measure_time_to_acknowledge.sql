-- How long alerts wait for a person: median and 90th percentile in hours by clinic, counted from the opening night.
SELECT
    p.clinic,
    count(*) AS n_alerts,
    count(f.first_at) AS n_acknowledged,
    percentile_cont(0.5) WITHIN GROUP (ORDER BY f.waited_h) AS median_wait_h,
    percentile_cont(0.9) WITHIN GROUP (ORDER BY f.waited_h) AS p90_wait_h
FROM affect.drift_alerts AS a
INNER JOIN affect.patients AS p ON a.patient_key = p.patient_key
LEFT JOIN LATERAL (
    SELECT
        min(x.at) AS first_at,
        extract(EPOCH FROM min(x.at) - cast(a.opened_night AS timestamptz)) / 3600 AS waited_h
    FROM affect.alert_actions AS x
    WHERE x.alert_id = a.alert_id
) AS f ON true
GROUP BY p.clinic
ORDER BY p.clinic;
