-- Whether the warehouse knows a pseudonym at all.
SELECT count(*) > 0 AS is_patient
FROM (
    SELECT p.patient_key
    FROM affect.patients AS p
    UNION ALL
    SELECT d.patient_key
    FROM affect.deliveries AS d
) AS known
WHERE known.patient_key = :patient_key;
