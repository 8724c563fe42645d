INSERT INTO affect.fhir_deliveries (server, kind, name, patient_key, sent_as, night, digest, sent_at)
VALUES (:server, :kind, :name, :patient_key, :patient_key, :night, :digest, :sent_at)
ON CONFLICT (server, kind, name) DO UPDATE SET
    patient_key = excluded.patient_key,
    sent_as = excluded.sent_as,
    night = excluded.night,
    digest = excluded.digest,
    sent_at = excluded.sent_at;
