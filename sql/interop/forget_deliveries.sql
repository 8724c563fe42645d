DELETE FROM affect.fhir_deliveries
WHERE server = :server AND patient_key = :patient_key
RETURNING night;
