-- What the machine did with one alert, in order.
SELECT
    alert_events.seq,
    alert_events.night,
    alert_events.kind,
    alert_events.severity,
    alert_events.score,
    alert_events.explanation
FROM affect.alert_events
WHERE alert_events.alert_id = :alert_id
ORDER BY alert_events.seq;
