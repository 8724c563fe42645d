-- Recordings whose identifier begins with some characters.
SELECT
    j.journal_id,
    j.night,
    j.patient_key,
    j.local_day,
    j.device,
    j.n_bytes,
    j.audio_format,
    j.problem,
    j.status,
    j.failed,
    j.warned
FROM affect.journals AS j
WHERE starts_with(j.journal_id, :prefix)
ORDER BY j.journal_id
LIMIT 2;
