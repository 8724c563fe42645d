-- States of patients from :first_key to :last_key, in no order: sorting that much here would go by disk.
COPY (
    SELECT
        chart_state.patient_key,
        chart_state.state
    FROM affect.chart_state_0 AS chart_state
    WHERE
        chart_state.model_digest = :model_digest
        AND chart_state.patient_key BETWEEN :first_key AND :last_key
) TO STDOUT WITH BINARY -- noqa: PRS
