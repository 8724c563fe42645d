-- The model that the made-up scores belong to.
INSERT INTO affect.model_versions (model_digest, name, registry_version, description, metrics, registered_at)
VALUES (
    :model_digest, 'affect-wav2vec2', 1, 'Made-up scores for load tests; nothing was listened to.',
    '{"auc": 0.5}', cast(cast(:last_day AS date) AS timestamp) AT TIME ZONE 'UTC'
);
