-- What every server holds about a patient, and under which pseudonym.
SELECT
    d.server,
    d.sent_as,
    d.kind,
    d.name
FROM affect.fhir_deliveries AS d
WHERE d.patient_key = :patient_key
ORDER BY d.server, d.sent_as, d.kind, d.name;
