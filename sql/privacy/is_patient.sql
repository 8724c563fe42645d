-- Whether the warehouse knows a pseudonym at all.
SELECT
    EXISTS (SELECT FROM affect.patients AS p WHERE p.patient_key = :patient_key)
    OR EXISTS (SELECT FROM affect.deliveries AS d WHERE d.patient_key = :patient_key) AS is_patient;
