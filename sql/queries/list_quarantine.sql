-- Recordings in quarantine and why. :night narrows it down to one night, :reason to one problem or expectation.
SELECT
    q.night,
    q.journal_id,
    q.patient_key,
    q.device,
    q.problem,
    q.failed,
    q.snr_db,
    q.clipping_ratio,
    q.is_released
FROM affect.quarantine AS q
WHERE
    (cast(:night AS date) IS NULL OR q.night = cast(:night AS date))
    AND (cast(:reason AS text) IS NULL OR q.problem = :reason OR :reason = any(q.failed))
ORDER BY q.night DESC, q.journal_id;
