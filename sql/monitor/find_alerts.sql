-- Alerts whose identity begins with :prefix.
SELECT
    drift_alerts.alert_id,
    drift_alerts.patient_key,
    drift_alerts.model_digest,
    drift_alerts.kind,
    drift_alerts.direction,
    drift_alerts.severity,
    drift_alerts.state,
    drift_alerts.opened_night,
    drift_alerts.opened_day,
    drift_alerts.onset_day,
    drift_alerts.onset_low,
    drift_alerts.onset_high,
    drift_alerts.last_night,
    drift_alerts.resolved_night,
    drift_alerts.score,
    drift_alerts.channels,
    drift_alerts.explanation,
    drift_alerts.evidence
FROM affect.drift_alerts
WHERE starts_with(drift_alerts.alert_id, :prefix)
ORDER BY drift_alerts.alert_id;
