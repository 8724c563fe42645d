-- Recordings of a range of nights that a person let out of quarantine.
SELECT
    j.delivery_key,
    j.night,
    j.journal_id,
    j.patient_key,
    j.local_day,
    j.recorded_at,
    j.time_zone,
    j.device,
    j.prompt,
    j.language,
    j.clinic,
    j.n_bytes,
    j.audio_format,
    j.problem
FROM affect.journals AS j
INNER JOIN affect.quarantine_releases AS r ON j.journal_id = r.journal_id
WHERE j.night BETWEEN :first_night AND :last_night
ORDER BY j.journal_id;
