-- A patient who may be told more about: known here, consent not withdrawn.
SELECT
    p.patient_key,
    p.time_zone
FROM affect.patients AS p
WHERE p.patient_key = :patient_key AND p.consent_withdrawn_night IS NULL;
