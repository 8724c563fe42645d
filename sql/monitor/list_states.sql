-- States of patients from :first_key to :last_key, keys and states each as one piece: a row a patient would cost more
-- than what is in it.
SELECT
    coalesce(string_agg(s.patient_key, ''), '') AS patient_keys,
    coalesce(string_agg(s.state, ''), '') AS states
FROM (
    SELECT
        chart_state.patient_key,
        chart_state.state
    FROM affect.chart_state
    WHERE
        chart_state.model_digest = :model_digest
        AND chart_state.patient_key BETWEEN :first_key AND :last_key
    ORDER BY chart_state.patient_key
) AS s;
