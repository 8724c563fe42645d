-- One page of patients with their state, in order of their key.
SELECT
    patients.patient_key,
    patients.clinic,
    patients.time_zone,
    patients.language,
    patients.first_night,
    patients.consent_withdrawn_night,
    newest.local_day AS last_day,
    coalesce(alerts.n_open, 0) AS n_open_alerts,
    baseline.state AS baseline_state,
    baseline.reason AS baseline_reason,
    baseline.ready_on AS baseline_ready_on,
    CASE
        WHEN coalesce(alerts.n_open, 0) > 0 THEN 'alert'
        WHEN baseline.state = 'ready' THEN 'stable'
        ELSE 'too_little_data'
    END AS state
FROM affect.patients
LEFT JOIN LATERAL (
    SELECT journals.local_day
    FROM affect.journals
    WHERE journals.patient_key = patients.patient_key
    ORDER BY journals.local_day DESC
    LIMIT 1
) AS newest ON true
LEFT JOIN LATERAL (
    SELECT count(*) AS n_open
    FROM affect.drift_alerts
    WHERE drift_alerts.patient_key = patients.patient_key AND drift_alerts.state = 'open'
) AS alerts ON true
LEFT JOIN LATERAL (
    SELECT
        baselines.state,
        baselines.reason,
        baselines.ready_on
    FROM affect.baselines
    WHERE baselines.patient_key = patients.patient_key
    ORDER BY baselines.as_of_night DESC, baselines.state = 'ready' DESC, baselines.channel ASC
    LIMIT 1
) AS baseline ON true
WHERE
    (cast(:after AS text) IS NULL OR patients.patient_key > :after)
    AND (cast(:clinic AS text) IS NULL OR patients.clinic = :clinic)
    AND (cast(:key_prefix AS text) IS NULL OR patients.patient_key LIKE :key_prefix || '%')
    AND (
        cast(:state AS text) IS NULL
        OR :state = CASE
            WHEN coalesce(alerts.n_open, 0) > 0 THEN 'alert'
            WHEN baseline.state = 'ready' THEN 'stable'
            ELSE 'too_little_data'
        END
    )
ORDER BY patients.patient_key
LIMIT :page_size;
