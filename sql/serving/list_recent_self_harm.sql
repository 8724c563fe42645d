-- Patients who answered the ninth question of the PHQ-9 with more than "not at all", since a night; newest first.
SELECT
    self_harm_answers.patient_key,
    patients.clinic,
    self_harm_answers.night,
    self_harm_answers.local_day,
    self_harm_answers.item_9,
    self_harm_answers.problem
FROM affect.self_harm_answers
LEFT JOIN affect.patients ON self_harm_answers.patient_key = patients.patient_key
WHERE self_harm_answers.night >= :first_night
ORDER BY self_harm_answers.night DESC, self_harm_answers.item_9 DESC, self_harm_answers.patient_key;
