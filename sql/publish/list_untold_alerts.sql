-- Alerts that were raised on the nights, still stand, and that nobody has been told of yet.
-- The most pressing come first.
SELECT
    events.alert_id,
    events.seq,
    alerts.patient_key,
    alerts.direction,
    alerts.severity,
    alerts.onset_day
FROM affect.alert_events AS events
INNER JOIN affect.drift_alerts AS alerts ON events.alert_id = alerts.alert_id
LEFT JOIN affect.notifications AS told ON events.alert_id = told.alert_id AND events.seq = told.seq
WHERE
    events.kind = 'opened'
    AND events.night BETWEEN :first_night AND :last_night
    AND alerts.model_digest = :model_digest
    AND alerts.state = 'open'
    AND told.alert_id IS NULL
ORDER BY alerts.score DESC NULLS LAST, events.alert_id ASC;
