-- Forget all states of a side; what is copied into it in this transaction need not go through the log.
TRUNCATE affect.chart_state_0;
