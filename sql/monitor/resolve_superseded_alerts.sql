-- Another model has taken over: alerts that an earlier one left open are resolved, with an event that says so.
WITH closed AS (
    UPDATE affect.drift_alerts
    SET
        state = 'resolved',
        resolved_night = :night,
        last_night = :night,
        explanation = 'Resolved: another model version has taken over. Before: ' || drift_alerts.explanation
    WHERE drift_alerts.model_digest <> :model_digest AND drift_alerts.state = 'open'
    RETURNING drift_alerts.alert_id, drift_alerts.severity, drift_alerts.score, drift_alerts.explanation
)

INSERT INTO affect.alert_events (alert_id, seq, night, kind, severity, score, explanation)
SELECT
    closed.alert_id,
    coalesce(max(alert_events.seq), 0) + 1 AS seq,
    :night,
    'resolved' AS kind,
    closed.severity,
    closed.score,
    closed.explanation
FROM closed
LEFT JOIN affect.alert_events ON closed.alert_id = alert_events.alert_id
GROUP BY closed.alert_id, closed.severity, closed.score, closed.explanation;
