-- What the identity of an alert is made of.
SELECT
    a.alert_id,
    a.patient_key,
    a.model_digest,
    a.kind,
    a.opened_night
FROM affect.drift_alerts AS a
ORDER BY a.alert_id;
