-- The model version that scored the journals of the nights; of several, the one registered last.
SELECT scores.model_digest
FROM affect.scores AS scores
INNER JOIN affect.journals AS journals ON scores.journal_id = journals.journal_id
LEFT JOIN affect.model_versions AS versions ON scores.model_digest = versions.model_digest
WHERE journals.night BETWEEN :first_night AND :last_night
GROUP BY scores.model_digest, versions.registered_at
ORDER BY versions.registered_at DESC NULLS LAST, scores.model_digest ASC
LIMIT 1;
