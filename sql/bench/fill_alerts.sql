-- One alert for each patient whose last week lies more than one and a half SDs from the baseline.
INSERT INTO affect.drift_alerts (
    alert_id, patient_key, model_digest, kind, direction, severity, state, opened_night, opened_day, onset_day,
    onset_low, onset_high, last_night, score, channels, explanation, evidence
)
SELECT
    left(encode(sha256(convert_to(moved.patient_key, 'UTF8')), 'hex'), 32),
    moved.patient_key,
    moved.model_digest,
    'worsening',
    'worsening',
    CASE WHEN moved.sds > 2.2 THEN 'high' WHEN moved.sds > 1.8 THEN 'moderate' ELSE 'low' END,
    'open',
    cast(:last_day AS date) + 1 - cast(moved.sds AS integer),
    cast(:last_day AS date) - cast(moved.sds AS integer),
    cast(:last_day AS date) - 16,
    cast(:last_day AS date) - 20,
    cast(:last_day AS date) - 12,
    cast(:last_day AS date) + 1,
    3 * moved.sds,
    jsonb_build_object(
        'depression', round(cast(moved.sds AS numeric), 2), 'valence', -round(cast(moved.sds AS numeric), 2)
    ),
    format(
        'The low-mood signal lies %s of the patient''s own SDs above the baseline of %s days.',
        round(cast(moved.sds AS numeric), 1), moved.n_days
    ),
    jsonb_build_object(
        'statistic', round(cast(2 * moved.sds AS numeric), 2), 'limit', 4, 'false_alarms_per_patient_90d', 0.06
    )
FROM (
    SELECT
        day_values.patient_key,
        day_values.model_digest,
        baselines.n_days,
        (cast(avg(cast(day_values.value AS numeric)) AS float8) - baselines.mean) / baselines.sd AS sds
    FROM affect.day_values
    INNER JOIN affect.baselines
        ON
            day_values.patient_key = baselines.patient_key
            AND day_values.model_digest = baselines.model_digest
            AND day_values.channel = baselines.channel
    WHERE
        day_values.channel = 'depression'
        AND baselines.state = 'ready'
        AND day_values.local_day > cast(:last_day AS date) - 7
    GROUP BY day_values.patient_key, day_values.model_digest, baselines.n_days, baselines.mean, baselines.sd
) AS moved
WHERE moved.sds > 1.5;
