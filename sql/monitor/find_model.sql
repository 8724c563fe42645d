-- The model version that scored last: among the newest nights' journals, the one registered last.
SELECT scores.model_digest
FROM affect.scores
INNER JOIN affect.journals ON scores.journal_id = journals.journal_id AND scores.local_day = journals.local_day
LEFT JOIN affect.model_versions ON scores.model_digest = model_versions.model_digest
WHERE journals.night <= :night
GROUP BY scores.model_digest, model_versions.registered_at, model_versions.registry_version
ORDER BY
    max(journals.night) DESC,
    model_versions.registry_version DESC NULLS LAST,
    model_versions.registered_at DESC NULLS LAST,
    scores.model_digest ASC
LIMIT 1;
