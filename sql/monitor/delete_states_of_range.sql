-- Make room for the new states of patients from :first_key to :last_key.
DELETE FROM affect.chart_state
WHERE
    chart_state.model_digest = :model_digest
    AND chart_state.patient_key BETWEEN :first_key AND :last_key;
