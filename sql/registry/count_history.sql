-- How many journals since a day may be scored, and how many of them a model has scored.
SELECT
    count(*) AS n_journals,
    count(*) FILTER (
        WHERE EXISTS (
            SELECT 1 FROM affect.scores
            WHERE
                scores.local_day = journals.local_day
                AND scores.journal_id = journals.journal_id
                AND scores.model_digest = :model_digest
        )
    ) AS n_scored
FROM affect.journals
WHERE
    journals.status IN ('accepted', 'warned')
    AND journals.local_day >= :since;
