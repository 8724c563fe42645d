-- The cohort by week.
CREATE VIEW affect.cohort_weeks WITH (security_invoker = true) AS
WITH values_of_week AS (
    SELECT
        p.clinic,
        v.model_digest,
        v.channel,
        date_trunc('week', v.local_day)::date AS week_start,
        count(DISTINCT v.patient_key) AS n_patients,
        count(*) AS n_day_values,
        avg(v.value) AS mean_value,
        stddev_samp(v.value) AS sd_value
    FROM affect.day_values AS v
    INNER JOIN affect.patients AS p ON v.patient_key = p.patient_key
    WHERE v.value IS NOT NULL
    GROUP BY p.clinic, v.model_digest, v.channel, date_trunc('week', v.local_day)
)

SELECT
    w.clinic,
    w.model_digest,
    w.channel,
    w.week_start,
    w.n_patients,
    w.n_day_values,
    w.mean_value,
    w.sd_value,
    w.mean_value - lag(w.mean_value) OVER (
        PARTITION BY w.clinic, w.model_digest, w.channel ORDER BY w.week_start
    ) AS change_from_week_before
FROM values_of_week AS w;

COMMENT ON VIEW affect.cohort_weeks IS 'Mean and spread of each channel by clinic and week (weeks begin on Monday).';

CREATE VIEW affect.alert_weeks WITH (security_invoker = true) AS
WITH seen AS (
    SELECT
        p.clinic,
        date_trunc('week', j.night)::date AS week_start,
        count(DISTINCT j.patient_key) AS n_patients
    FROM affect.journals AS j
    INNER JOIN affect.patients AS p ON j.patient_key = p.patient_key
    GROUP BY p.clinic, date_trunc('week', j.night)
),

raised AS (
    SELECT
        p.clinic,
        date_trunc('week', a.opened_night)::date AS week_start,
        count(*) AS n_alerts,
        count(*) FILTER (WHERE a.direction = 'worsening') AS n_worsening,
        count(DISTINCT a.patient_key) AS n_patients_alerted
    FROM affect.drift_alerts AS a
    INNER JOIN affect.patients AS p ON a.patient_key = p.patient_key
    GROUP BY p.clinic, date_trunc('week', a.opened_night)
)

SELECT
    coalesce(s.clinic, r.clinic) AS clinic,
    coalesce(s.week_start, r.week_start) AS week_start,
    coalesce(s.n_patients, 0) AS n_patients,
    coalesce(r.n_alerts, 0) AS n_alerts,
    coalesce(r.n_worsening, 0) AS n_worsening,
    coalesce(r.n_patients_alerted, 0) AS n_patients_alerted,
    100.0 * coalesce(r.n_alerts, 0) / nullif(s.n_patients, 0) AS alerts_per_100_patients
FROM seen AS s
FULL JOIN raised AS r
    ON coalesce(s.clinic, '') = coalesce(r.clinic, '') AND s.week_start = r.week_start;

COMMENT ON VIEW affect.alert_weeks IS
'Alert burden: alerts raised by clinic and week, beside the patients who recorded.';
