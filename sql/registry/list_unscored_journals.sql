-- One page of the journals of a shard of patients that a model has not scored yet.
SELECT
    journals.journal_id,
    journals.patient_key,
    journals.local_day
FROM affect.journals
WHERE
    journals.status IN ('accepted', 'warned')
    AND journals.local_day BETWEEN :since AND :until
    AND journals.journal_id > :after
    AND ('x' || left(journals.patient_key, 8))::bit(32)::bigint % :n_shards = :shard
    AND NOT EXISTS (
        SELECT 1 FROM affect.scores
        WHERE
            scores.local_day = journals.local_day
            AND scores.journal_id = journals.journal_id
            AND scores.model_digest = :model_digest
    )
ORDER BY journals.journal_id
LIMIT :page_size;
