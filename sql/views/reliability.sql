-- How far a channel can be trusted to show change, and whether alerts fall evenly.
--
-- One-way random-effects intraclass correlation ICC(1,1) with the mean group size of an unbalanced design
-- (Shrout & Fleiss, Psychological Bulletin 1979; McGraw & Wong, Psychological Methods 1996). Standard error of
-- measurement and minimal detectable change at 95 % after Weir, J Strength Cond Res 2005.
CREATE VIEW affect.channel_reliability WITH (security_invoker = true) AS
WITH per_patient AS (
    SELECT
        v.model_digest,
        v.channel,
        v.patient_key,
        count(v.value) AS n,
        avg(v.value) AS mean_value,
        coalesce(var_samp(v.value), 0) * (count(v.value) - 1) AS within_ss
    FROM affect.day_values AS v
    WHERE v.value IS NOT NULL
    GROUP BY v.model_digest, v.channel, v.patient_key
    HAVING count(v.value) >= 2
),

grand AS (
    SELECT
        p.model_digest,
        p.channel,
        count(*) AS n_patients,
        sum(p.n) AS n_values,
        sum(p.n * p.mean_value) / sum(p.n) AS grand_mean,
        sum(p.within_ss) / nullif(sum(p.n) - count(*), 0) AS ms_within,
        (sum(p.n) - sum(p.n * p.n) / sum(p.n)) / nullif(count(*) - 1, 0) AS n_mean
    FROM per_patient AS p
    GROUP BY p.model_digest, p.channel
),

between_patients AS (
    SELECT
        p.model_digest,
        p.channel,
        sum(p.n * power(p.mean_value - g.grand_mean, 2)) / nullif(count(*) - 1, 0) AS ms_between
    FROM per_patient AS p
    INNER JOIN grand AS g ON p.model_digest = g.model_digest AND p.channel = g.channel
    GROUP BY p.model_digest, p.channel
)

SELECT
    g.model_digest,
    g.channel,
    g.n_patients,
    g.n_values,
    (b.ms_between - g.ms_within) / nullif(b.ms_between + (g.n_mean - 1) * g.ms_within, 0) AS icc,
    sqrt(g.ms_within) AS standard_error_of_measurement,
    1.96 * sqrt(2 * g.ms_within) AS minimal_detectable_change
FROM grand AS g
INNER JOIN between_patients AS b ON g.model_digest = b.model_digest AND g.channel = b.channel;

COMMENT ON VIEW affect.channel_reliability IS
'Test-retest reliability of each channel over days: ICC(1,1), standard error of one day value, and the smallest '
'difference of two days that is not noise (95 %).';

-- Reliable change index after Jacobson & Truax, J Consult Clin Psychol 1991: the mean of the newest seven days against
-- the baseline mean, in standard errors of that difference.
CREATE VIEW affect.reliable_change WITH (security_invoker = true) AS
WITH newest AS (
    SELECT
        v.patient_key,
        v.model_digest,
        v.channel,
        count(v.value) AS n_recent,
        avg(v.value) AS recent_mean
    FROM affect.day_values AS v
    INNER JOIN (
        SELECT
            x.patient_key,
            x.model_digest,
            max(x.local_day) AS last_day
        FROM affect.day_values AS x
        GROUP BY x.patient_key, x.model_digest
    ) AS latest ON v.patient_key = latest.patient_key AND v.model_digest = latest.model_digest
    WHERE v.local_day > latest.last_day - 7 AND v.value IS NOT NULL
    GROUP BY v.patient_key, v.model_digest, v.channel
)

SELECT
    n.patient_key,
    n.model_digest,
    n.channel,
    n.n_recent,
    n.recent_mean,
    b.mean AS baseline_mean,
    b.sd AS baseline_sd,
    b.n_days AS baseline_days,
    1.96 * sqrt(2) * b.sd AS minimal_detectable_change,
    (n.recent_mean - b.mean)
    / nullif(b.sd * sqrt(1.0 / n.n_recent + 1.0 / nullif(b.n_days, 0)), 0) AS reliable_change_index
FROM newest AS n
INNER JOIN affect.baselines AS b
    ON n.patient_key = b.patient_key AND n.model_digest = b.model_digest AND n.channel = b.channel
WHERE b.state = 'ready';

COMMENT ON VIEW affect.reliable_change IS
'Per patient and channel: the newest seven days against the baseline. An index beyond 1.96 is unlikely to be noise; '
'days that resemble their neighbours make it somewhat too large.';

CREATE VIEW affect.alert_rates_by_group WITH (security_invoker = true) AS
WITH patient_devices AS (
    SELECT DISTINCT ON (j.patient_key)
        j.patient_key,
        j.device
    FROM affect.journals AS j
    WHERE j.device IS NOT NULL
    ORDER BY j.patient_key, j.recorded_at DESC NULLS LAST, j.journal_id
),

observed AS (
    SELECT
        p.patient_key,
        p.sex,
        p.age_band,
        p.language,
        p.clinic,
        d.device,
        v.n_days,
        v.patient_days,
        coalesce(a.n_alerts, 0) AS n_alerts,
        coalesce(k.n_known, 0) AS n_known,
        coalesce(k.n_missed, 0) AS n_missed
    FROM affect.patients AS p
    LEFT JOIN patient_devices AS d ON p.patient_key = d.patient_key
    INNER JOIN LATERAL (
        SELECT
            count(DISTINCT x.local_day) AS n_days,
            max(x.local_day) - min(x.local_day) + 1 AS patient_days
        FROM affect.journals AS x
        WHERE x.patient_key = p.patient_key AND x.status IN ('accepted', 'warned')
    ) AS v ON v.n_days > 0
    LEFT JOIN LATERAL (
        SELECT count(*) AS n_alerts
        FROM affect.drift_alerts AS x
        WHERE x.patient_key = p.patient_key
    ) AS a ON true
    -- A known change counts once there were four weeks to find it in.
    LEFT JOIN LATERAL (
        SELECT
            count(*) AS n_known,
            count(*) FILTER (
                WHERE NOT EXISTS (
                    SELECT FROM affect.drift_alerts AS x
                    WHERE
                        x.patient_key = c.patient_key
                        AND x.direction = 'worsening'
                        AND x.opened_night BETWEEN c.onset_day AND c.onset_day + 27
                )
            ) AS n_missed
        FROM affect.known_changes AS c
        WHERE c.patient_key = p.patient_key AND c.onset_day + 27 <= (SELECT max(n.night) FROM affect.nights AS n)
    ) AS k ON true
)

SELECT
    g.dimension,
    g.group_name,
    count(*) AS n_patients,
    sum(o.n_alerts) AS n_alerts,
    avg((o.n_alerts > 0)::integer) AS share_alerted,
    90.0 * sum(o.n_alerts) / nullif(sum(o.patient_days), 0) AS alerts_per_patient_90_days,
    1.0 * sum(o.n_days) / nullif(sum(o.patient_days), 0) AS share_of_days_recorded,
    sum(o.n_known) AS n_known_changes,
    sum(o.n_missed) AS n_missed,
    1.0 * sum(o.n_missed) / nullif(sum(o.n_known), 0) AS miss_rate
FROM observed AS o
CROSS JOIN
    LATERAL (
        VALUES
        ('sex', o.sex),
        ('age_band', o.age_band),
        ('language', o.language),
        ('device', o.device),
        ('clinic', o.clinic)
    ) AS g (dimension, group_name)
GROUP BY g.dimension, g.group_name;

COMMENT ON VIEW affect.alert_rates_by_group IS
'Fairness of alerts: how often patients of each group are alerted, how often they record, and how many of their known '
'changes (known_changes) no alert of worsening followed within 28 days. An empty group_name stands for patients of '
'whom it is not known.';
