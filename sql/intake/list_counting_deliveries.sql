-- The delivery that counts for each of some recordings, as far as they are known.
SELECT
    j.journal_id,
    j.night,
    j.delivery_key
FROM affect.journals AS j
WHERE j.journal_id = any(cast(:journal_ids AS text[]));
