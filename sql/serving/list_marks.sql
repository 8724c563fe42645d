-- Days on which something else than the patient changed: the device, or the model that listens.
SELECT
    devices.local_day,
    'device: ' || devices.device AS label
FROM (
    SELECT
        journals.local_day,
        journals.device,
        lag(journals.device) OVER (ORDER BY journals.local_day ASC, journals.journal_id ASC) AS device_before
    FROM affect.journals
    WHERE
        journals.patient_key = :patient_key
        AND journals.local_day BETWEEN :first_day AND :last_day
        AND journals.device IS NOT NULL
) AS devices
WHERE devices.device <> devices.device_before
UNION ALL
SELECT
    models.local_day,
    models.label
FROM (
    SELECT
        cast(model_versions.registered_at AS date) AS local_day,
        'model: ' || model_versions.name || coalesce(' ' || model_versions.registry_version, '') AS label,
        lag(model_versions.model_digest) OVER (ORDER BY model_versions.registered_at ASC) AS model_before
    FROM affect.model_versions
    WHERE model_versions.model_digest IN (
        SELECT scores.model_digest
        FROM affect.scores
        WHERE scores.patient_key = :patient_key AND scores.local_day BETWEEN :first_day AND :last_day
    )
) AS models
WHERE models.model_before IS NOT NULL AND models.local_day BETWEEN :first_day AND :last_day
ORDER BY local_day, label;
