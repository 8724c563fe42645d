-- Patients whose consent is gone, and the night on which that became known.
SELECT
    patients.patient_key,
    patients.consent_withdrawn_night - date '1970-01-01' AS night
FROM affect.patients
WHERE patients.consent_withdrawn_night IS NOT NULL
ORDER BY patients.patient_key;
