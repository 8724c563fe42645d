-- Forget what was derived for a model version: it is about to be derived anew.
DELETE FROM affect.drift_alerts
WHERE drift_alerts.model_digest = :model_digest;
