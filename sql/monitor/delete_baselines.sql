-- Forget what was derived for a model version: it is about to be derived anew.
DELETE FROM affect.baselines
WHERE baselines.model_digest = :model_digest;
