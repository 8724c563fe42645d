-- Forget the states of a model version on a side that holds those of others, too.
DELETE FROM affect.chart_state
WHERE chart_state.model_digest = :model_digest AND chart_state.side = :side;
