-- Forget what was derived for a model version: it is about to be derived anew.
DELETE FROM affect.monitor_progress
WHERE monitor_progress.model_digest = :model_digest;
