-- Patients without any baseline: nothing of theirs was judged yet.
SELECT
    patients.patient_key,
    patients.clinic,
    patients.time_zone,
    cast(NULL AS text) AS state,
    cast(NULL AS text) AS reason,
    cast(NULL AS date) AS ready_on,
    0 AS n_days
FROM affect.patients
WHERE
    patients.consent_withdrawn_night IS NULL
    AND NOT EXISTS (
        SELECT FROM affect.baselines
        WHERE baselines.patient_key = patients.patient_key
    )
ORDER BY patients.patient_key
LIMIT :page_size;
