-- Alerts that stand, of patients from :first_key to :last_key.
SELECT drift_alerts.*
FROM affect.drift_alerts
WHERE
    drift_alerts.model_digest = :model_digest
    AND drift_alerts.state = 'open'
    AND drift_alerts.patient_key BETWEEN :first_key AND :last_key
ORDER BY drift_alerts.alert_id;
