-- Patients whose key begins with :prefix.
SELECT patients.patient_key
FROM affect.patients
WHERE starts_with(patients.patient_key, :prefix)
ORDER BY patients.patient_key
LIMIT 2;
