-- A recording is released once.
INSERT INTO affect.quarantine_releases AS t (journal_id, actor, reason, at)
SELECT
    s.journal_id,
    s.actor,
    s.reason,
    s.at
FROM pg_temp.staging_quarantine_releases AS s
ORDER BY s.journal_id
ON CONFLICT (journal_id) DO NOTHING;
