-- States of patients from :first_key to :last_key.
SELECT
    chart_state.patient_key,
    chart_state.version,
    chart_state.state
FROM affect.chart_state
WHERE
    chart_state.model_digest = :model_digest
    AND chart_state.patient_key BETWEEN :first_key AND :last_key
ORDER BY chart_state.patient_key
