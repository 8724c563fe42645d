-- Forget what was derived for a model version: it is about to be derived anew.
DELETE FROM affect.day_values
WHERE day_values.model_digest = :model_digest;
