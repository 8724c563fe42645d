-- Patients who cannot be judged at present, and why.
SELECT
    patients.patient_key,
    patients.clinic,
    patients.time_zone,
    baseline.state,
    baseline.reason,
    baseline.ready_on,
    baseline.n_days
FROM affect.patients
LEFT JOIN LATERAL (
    SELECT
        baselines.state,
        baselines.reason,
        baselines.ready_on,
        baselines.n_days
    FROM affect.baselines
    WHERE baselines.patient_key = patients.patient_key
    ORDER BY baselines.as_of_night DESC, baselines.state = 'ready' DESC, baselines.channel ASC
    LIMIT 1
) AS baseline ON true
WHERE
    patients.consent_withdrawn_night IS NULL
    AND baseline.state IS DISTINCT FROM 'ready'
ORDER BY baseline.ready_on ASC NULLS LAST, patients.patient_key
LIMIT :page_size;
