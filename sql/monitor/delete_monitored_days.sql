-- Forget what was derived for a model version: it is about to be derived anew.
DELETE FROM affect.monitored_days
WHERE monitored_days.model_digest = :model_digest;
