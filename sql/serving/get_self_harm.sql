-- The last answer of one patient to the ninth question of the PHQ-9 that was more than "not at all", unless it was
-- answered with "not at all" on a later day.
SELECT
    questionnaires.night,
    questionnaires.local_day,
    questionnaires.item_9,
    questionnaires.problem
FROM affect.questionnaires
WHERE
    questionnaires.patient_key = :patient_key
    AND questionnaires.item_9 > 0
    AND NOT EXISTS (
        SELECT FROM affect.questionnaires AS later
        WHERE
            later.patient_key = questionnaires.patient_key
            AND later.item_9 = 0
            AND later.local_day > questionnaires.local_day
    )
ORDER BY questionnaires.night DESC, questionnaires.local_day DESC, questionnaires.item_9 DESC
LIMIT 1;
