-- The first day that a model's current baselines were made from; without baselines, the first day there is.
SELECT
    coalesce(
        (
            SELECT min(baselines.first_day) FROM affect.baselines
            WHERE baselines.model_digest = :model_digest
        ),
        (
            SELECT min(journals.local_day) FROM affect.journals
            WHERE journals.status IN ('accepted', 'warned')
        )
    ) AS first_day;
