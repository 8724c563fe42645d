SELECT a.alert_id
FROM affect.drift_alerts AS a
WHERE a.patient_key = :patient_key
ORDER BY a.alert_id;
