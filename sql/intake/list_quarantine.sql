-- Recordings in quarantine, newest night first; without a range, all of them.
SELECT
    j.journal_id,
    j.night,
    j.patient_key,
    j.problem,
    j.failed,
    r.actor AS released_by
FROM affect.journals AS j
LEFT JOIN affect.quarantine_releases AS r ON j.journal_id = r.journal_id
WHERE
    j.status = 'quarantined'
    AND j.night BETWEEN coalesce(cast(:first_night AS date), '-infinity')
    AND coalesce(cast(:last_night AS date), 'infinity')
ORDER BY j.night DESC, j.journal_id
LIMIT :limit_rows;
