-- Alerts as the machine sees them, the most pressing first; :everything shows resolved ones, too.
SELECT
    drift_alerts.alert_id,
    drift_alerts.patient_key,
    patients.clinic,
    drift_alerts.kind,
    drift_alerts.direction,
    drift_alerts.severity,
    drift_alerts.state,
    drift_alerts.opened_night,
    drift_alerts.onset_day,
    drift_alerts.score
FROM affect.drift_alerts
LEFT JOIN affect.patients ON drift_alerts.patient_key = patients.patient_key
WHERE
    (cast(:everything AS boolean) OR drift_alerts.state = 'open')
    AND (cast(:clinic AS text) IS NULL OR patients.clinic = :clinic)
ORDER BY drift_alerts.state ASC, drift_alerts.score DESC, drift_alerts.alert_id ASC;
