-- Whether a person with access and a patient of these names are there.
SELECT
    people.login,
    patients.patient_key
FROM affect.people
CROSS JOIN affect.patients
WHERE people.login = :login AND people.active AND patients.patient_key = :patient_key;
