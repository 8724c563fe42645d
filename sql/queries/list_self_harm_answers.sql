-- Who answered the ninth question of the PHQ-9 with more than "not at all", newest night first?
SELECT
    s.patient_key,
    p.clinic,
    s.night,
    s.local_day,
    s.item_9,
    s.problem
FROM affect.self_harm_answers AS s
LEFT JOIN affect.patients AS p ON s.patient_key = p.patient_key
WHERE s.night >= coalesce(cast(:since AS date), '-infinity')
ORDER BY s.night DESC, s.item_9 DESC, s.patient_key;
