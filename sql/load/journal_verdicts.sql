-- What the quality contract decided about recordings that are known already.
UPDATE affect.journals AS j SET
    status = s.status,
    failed = coalesce(s.failed, '{}'),
    warned = coalesce(s.warned, '{}')
FROM pg_temp.staging_journal_verdicts AS s
WHERE
    s.journal_id = j.journal_id
    AND (j.status, j.failed, j.warned) IS DISTINCT FROM (s.status, coalesce(s.failed, '{}'), coalesce(s.warned, '{}'));
