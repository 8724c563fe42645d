-- The model version that scored last: among the journals of the newest scored night, the one registered last.
SELECT scores.model_digest
FROM affect.scores
INNER JOIN affect.journals ON scores.journal_id = journals.journal_id AND scores.local_day = journals.local_day
LEFT JOIN affect.model_versions ON scores.model_digest = model_versions.model_digest
WHERE
    journals.night = (
        SELECT newest.night
        FROM affect.journals AS newest
        WHERE
            newest.night <= :night
            AND EXISTS (
                SELECT FROM affect.scores AS heard
                WHERE heard.journal_id = newest.journal_id AND heard.local_day = newest.local_day
            )
        ORDER BY newest.night DESC
        LIMIT 1
    )
GROUP BY scores.model_digest, model_versions.registered_at, model_versions.registry_version
ORDER BY
    model_versions.registry_version DESC NULLS LAST,
    model_versions.registered_at DESC NULLS LAST,
    scores.model_digest ASC
LIMIT 1;
