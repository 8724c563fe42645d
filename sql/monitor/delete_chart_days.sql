-- Forget what was derived for a model version: it is about to be derived anew.
DELETE FROM affect.chart_days
WHERE chart_days.model_digest = :model_digest;
