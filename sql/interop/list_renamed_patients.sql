-- Patients whom a server knows by a pseudonym that a rotation has ended.
SELECT DISTINCT d.patient_key
FROM affect.fhir_deliveries AS d
WHERE d.server = :server AND d.patient_key <> d.sent_as
ORDER BY d.patient_key;
