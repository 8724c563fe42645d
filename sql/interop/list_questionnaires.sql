-- Questionnaires that arrived on the nights and could be used, each once; patient by patient.
SELECT
    q.questionnaire_id,
    q.patient_key,
    q.night,
    q.answered_at,
    q.local_day,
    q.items,
    q.total
FROM affect.phq_answers AS q
INNER JOIN affect.patients AS p ON q.patient_key = p.patient_key
WHERE
    q.night BETWEEN :first_night AND :last_night
    AND p.consent_withdrawn_night IS NULL
    AND (cast(:patient_key AS text) IS NULL OR q.patient_key = :patient_key)
ORDER BY q.patient_key, q.questionnaire_id;
