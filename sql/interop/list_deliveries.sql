-- What a server was sent of a kind and of some nights. Whoever withdrew consent is left as it was: nothing about them
-- was wrong.
SELECT
    d.name,
    d.patient_key,
    d.night,
    d.digest
FROM affect.fhir_deliveries AS d
INNER JOIN affect.patients AS p ON d.patient_key = p.patient_key
WHERE
    d.server = :server
    AND d.kind = :kind
    AND d.night BETWEEN :first_night AND :last_night
    AND p.consent_withdrawn_night IS NULL
    AND (cast(:patient_key AS text) IS NULL OR d.patient_key = :patient_key)
ORDER BY d.patient_key, d.name;
