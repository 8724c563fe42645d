-- Questionnaires of one patient, newest first: answers once each, and those that were refused.
SELECT
    found.local_day,
    found.night,
    found.instrument,
    found.total,
    found.item_9,
    found.problem
FROM (
    SELECT DISTINCT ON (coalesce(questionnaires.questionnaire_id, questionnaires.delivery_key))
        questionnaires.local_day,
        questionnaires.night,
        questionnaires.instrument,
        questionnaires.total,
        questionnaires.item_9,
        questionnaires.problem,
        questionnaires.answered_at,
        questionnaires.delivery_key
    FROM affect.questionnaires
    WHERE questionnaires.patient_key = :patient_key
    ORDER BY
        coalesce(questionnaires.questionnaire_id, questionnaires.delivery_key),
        questionnaires.night, questionnaires.delivery_key
) AS found
ORDER BY found.local_day DESC, found.answered_at DESC NULLS LAST, found.delivery_key
LIMIT :page_size;
