-- Questionnaires that were refused, and why, newest night first.
SELECT
    q.night,
    q.patient_key,
    q.source,
    q.problem,
    q.problem_detail,
    q.item_9
FROM affect.questionnaires AS q
WHERE
    q.problem IS NOT NULL
    AND q.night = coalesce(cast(:night AS date), q.night)
ORDER BY q.night DESC, q.patient_key, q.delivery_key;
