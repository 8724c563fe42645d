-- Forget what was derived for a model version: it is about to be derived anew.
DELETE FROM affect.chart_state
WHERE chart_state.model_digest = :model_digest;
