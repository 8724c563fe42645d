-- Why questionnaires of a range of nights were refused.
SELECT
    questionnaires.problem AS reason,
    count(*) AS n_questionnaires,
    count(DISTINCT questionnaires.patient_key) AS n_patients
FROM affect.questionnaires
WHERE questionnaires.night BETWEEN :first_night AND :last_night AND questionnaires.problem IS NOT NULL
GROUP BY questionnaires.problem
ORDER BY n_questionnaires DESC, reason;
