-- What the pipeline says of every patient, one row for each alert, for the report that compares it with a simulation.
SELECT
    s.patient_key,
    s.state,
    s.baseline_reason,
    s.baseline_ready_on,
    a.opened_night,
    a.direction,
    a.severity,
    a.onset_day
FROM affect.patient_state AS s
LEFT JOIN affect.drift_alerts AS a
    ON
        s.patient_key = a.patient_key
        AND (s.model_digest IS NULL OR s.model_digest = a.model_digest)
ORDER BY s.patient_key, a.opened_night, a.alert_id;
