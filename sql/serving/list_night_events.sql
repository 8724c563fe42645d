-- What changed with alerts on one night.
SELECT
    alert_events.alert_id,
    alert_events.kind,
    alert_events.severity,
    drift_alerts.patient_key,
    drift_alerts.direction
FROM affect.alert_events
INNER JOIN affect.drift_alerts ON alert_events.alert_id = drift_alerts.alert_id
WHERE alert_events.night = :night
ORDER BY alert_events.kind, alert_events.alert_id
LIMIT :page_size;
