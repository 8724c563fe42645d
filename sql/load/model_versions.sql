-- A model is registered once; registering it again refreshes what is said about it.
INSERT INTO affect.model_versions AS t (model_digest, name, registry_version, description, metrics, registered_at)
SELECT
    s.model_digest,
    s.name,
    s.registry_version,
    s.description,
    s.metrics,
    s.registered_at
FROM pg_temp.staging_model_versions AS s
ORDER BY s.model_digest
ON CONFLICT (model_digest) DO UPDATE SET
    name = excluded.name,
    registry_version = excluded.registry_version,
    description = excluded.description,
    metrics = excluded.metrics,
    registered_at = excluded.registered_at;
