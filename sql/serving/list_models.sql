-- Models that scored anything, newest first.
SELECT
    model_versions.model_digest,
    model_versions.name,
    model_versions.registry_version,
    model_versions.description,
    model_versions.metrics,
    model_versions.registered_at
FROM affect.model_versions
ORDER BY model_versions.registry_version DESC NULLS LAST, model_versions.model_digest
LIMIT :page_size;
