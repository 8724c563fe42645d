-- Where each patient stands, for the model version that judged the patient last.
CREATE VIEW affect.patient_state WITH (security_invoker = true) AS
SELECT
    p.patient_key,
    p.clinic,
    p.language,
    p.sex,
    p.age_band,
    p.first_night,
    p.consent_withdrawn_night,
    b.model_digest,
    b.as_of_night,
    b.state AS baseline_state,
    b.reason AS baseline_reason,
    b.ready_on AS baseline_ready_on,
    b.n_days AS baseline_days,
    j.last_day AS last_recorded_day,
    coalesce(j.n_journals, 0) AS n_journals,
    coalesce(a.n_open, 0) AS n_open_alerts,
    a.worst_alert_id,
    CASE
        WHEN p.consent_withdrawn_night IS NOT NULL THEN 'consent_withdrawn'
        WHEN a.n_open > 0 THEN 'alert'
        WHEN b.state = 'ready' THEN 'stable'
        ELSE 'too_little_data'
    END AS state
FROM affect.patients AS p
LEFT JOIN LATERAL (
    SELECT
        x.model_digest,
        x.as_of_night,
        x.state,
        x.reason,
        x.ready_on,
        x.n_days
    FROM affect.baselines AS x
    WHERE x.patient_key = p.patient_key AND x.channel = 'depression'
    ORDER BY x.as_of_night DESC, x.model_digest ASC
    LIMIT 1
) AS b ON true
LEFT JOIN LATERAL (
    SELECT
        max(x.local_day) AS last_day,
        count(*) AS n_journals
    FROM affect.journals AS x
    WHERE x.patient_key = p.patient_key AND x.status IN ('accepted', 'warned')
) AS j ON true
LEFT JOIN LATERAL (
    SELECT
        count(*) AS n_open,
        (array_agg(x.alert_id ORDER BY x.score DESC, x.alert_id ASC))[1] AS worst_alert_id
    FROM affect.drift_alerts AS x
    WHERE x.patient_key = p.patient_key AND x.state = 'open'
) AS a ON true;

COMMENT ON VIEW affect.patient_state IS
'One row a patient: alert, stable, too_little_data (baseline_reason and baseline_ready_on say why and until when) or '
'consent_withdrawn.';

CREATE VIEW affect.patient_trends WITH (security_invoker = true) AS
SELECT
    v.patient_key,
    v.model_digest,
    v.channel,
    v.local_day,
    v.value,
    v.se,
    v.n_journals,
    c.expected,
    c.band_low,
    c.band_high,
    c.statistic,
    c.limit_value,
    c.signal,
    (v.value - b.mean) / nullif(b.sd, 0) AS deviation_sd,
    avg(v.value) OVER last_seven_days AS mean_7_days,
    count(v.value) OVER last_seven_days AS days_recorded_of_7
FROM affect.day_values AS v
LEFT JOIN affect.chart_days AS c
    ON
        v.patient_key = c.patient_key
        AND v.model_digest = c.model_digest
        AND v.channel = c.channel
        AND v.local_day = c.local_day
LEFT JOIN affect.baselines AS b
    ON v.patient_key = b.patient_key AND v.model_digest = b.model_digest AND v.channel = b.channel
WINDOW last_seven_days AS (
    PARTITION BY v.patient_key, v.model_digest, v.channel
    ORDER BY v.local_day
    RANGE BETWEEN INTERVAL '6 days' PRECEDING AND CURRENT ROW
);

COMMENT ON VIEW affect.patient_trends IS
'Day values beside what the chart expected; deviation_sd counts in standard deviations of this patient''s baseline.';
