-- The columns that a packed state is written to.
COPY affect.chart_state_0 (side, patient_key, model_digest, through_day, version, state)
FROM STDIN (FORMAT binary) -- noqa: PRS
