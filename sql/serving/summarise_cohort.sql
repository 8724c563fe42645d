-- How each clinic's patients are doing: counts only.
WITH states AS (
    SELECT
        patients.clinic,
        patients.consent_withdrawn_night IS NOT NULL AS withdrawn,
        exists(
            SELECT 1 FROM affect.drift_alerts
            WHERE drift_alerts.patient_key = patients.patient_key AND drift_alerts.state = 'open'
        ) AS has_alert,
        exists(
            SELECT 1 FROM affect.baselines
            WHERE baselines.patient_key = patients.patient_key AND baselines.state = 'ready'
        ) AS has_baseline
    FROM affect.patients
)

SELECT
    coalesce(states.clinic, '') AS clinic,
    count(*) AS n_patients,
    count(*) FILTER (WHERE states.has_alert) AS n_alert,
    count(*) FILTER (WHERE NOT states.has_alert AND states.has_baseline) AS n_stable,
    count(*) FILTER (WHERE NOT states.has_alert AND NOT states.has_baseline) AS n_too_little_data,
    count(*) FILTER (WHERE states.withdrawn) AS n_withdrawn
FROM states
GROUP BY coalesce(states.clinic, '')
ORDER BY clinic;
