-- In MLflow's own database (PostgreSQL or SQLite): the model version behind an alias, with our digest tag.
SELECT
    model_versions.version,
    model_versions.creation_time AS created_ms,
    model_version_tags.value AS digest
FROM registered_model_aliases
INNER JOIN model_versions
    ON
        registered_model_aliases.workspace = model_versions.workspace
        AND registered_model_aliases.name = model_versions.name
        AND registered_model_aliases.version = model_versions.version
LEFT JOIN model_version_tags
    ON
        model_versions.workspace = model_version_tags.workspace
        AND model_versions.name = model_version_tags.name
        AND model_versions.version = model_version_tags.version
        AND model_version_tags.key = 'affect.digest'
WHERE
    registered_model_aliases.workspace = 'default'
    AND registered_model_aliases.name = :name
    AND registered_model_aliases.alias = :alias;
