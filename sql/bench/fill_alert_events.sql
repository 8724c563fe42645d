-- The nights on which the made-up alerts were raised and updated.
INSERT INTO affect.alert_events (alert_id, seq, night, kind, severity, score, explanation)
SELECT
    drift_alerts.alert_id,
    seq,
    CASE WHEN seq = 1 THEN drift_alerts.opened_night ELSE drift_alerts.last_night END,
    CASE WHEN seq = 1 THEN 'opened' ELSE 'updated' END,
    drift_alerts.severity,
    drift_alerts.score - 2 + seq,
    drift_alerts.explanation
FROM affect.drift_alerts
CROSS JOIN generate_series(1, 2) AS seq;
