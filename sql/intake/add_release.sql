-- A person lets a recording out of quarantine; the next run of its night accepts and scores it.
INSERT INTO affect.quarantine_releases (journal_id, actor, reason)
VALUES (:journal_id, :actor, :reason)
ON CONFLICT (journal_id) DO NOTHING;
