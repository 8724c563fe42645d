-- Every model version that anything here may refer to.
SELECT
    d.model_digest,
    coalesce(v.name, 'voice model') AS name,
    v.registry_version,
    v.description
FROM (
    SELECT x.model_digest FROM affect.model_versions AS x
    UNION
    SELECT x.model_digest FROM affect.drift_alerts AS x
    UNION
    SELECT x.model_digest FROM affect.baselines AS x
) AS d
LEFT JOIN affect.model_versions AS v ON d.model_digest = v.model_digest
ORDER BY d.model_digest;
