-- Voice beside questionnaires: pairs, changes and how far they agree; by phq8, which both instruments have.
CREATE VIEW affect.phq_days WITH (security_invoker = true) AS
SELECT DISTINCT ON (a.patient_key, a.local_day)
    a.patient_key,
    a.local_day,
    a.instrument,
    a.total,
    a.phq8,
    a.item_9,
    a.answered_at,
    a.night
FROM affect.phq_answers AS a
ORDER BY a.patient_key, a.local_day, a.answered_at DESC, a.questionnaire_id;

COMMENT ON VIEW affect.phq_days IS 'The last PHQ answers of each patient and local day.';

-- Each of the fourteen days is looked up by itself: a range of days would be read again for every questionnaire.
CREATE VIEW affect.phq_voice_pairs WITH (security_invoker = true) AS
WITH fortnight_days AS MATERIALIZED (
    SELECT
        q.patient_key,
        q.local_day,
        q.phq8,
        q.local_day - back.n_days AS voice_day
    FROM affect.phq_days AS q
    CROSS JOIN generate_series(0, 13) AS back (n_days)
)

SELECT
    v.patient_key,
    v.model_digest,
    c.channel,
    v.local_day,
    v.phq8,
    c.voice,
    v.n_days
FROM (
    SELECT
        f.patient_key,
        d.model_digest,
        f.local_day,
        f.phq8,
        count(*) AS n_days,
        avg(d.depression) AS depression,
        avg(d.valence) AS valence,
        avg(d.arousal) AS arousal,
        avg(d.pitch_variability) AS pitch_variability,
        avg(d.speech_rate) AS speech_rate,
        avg(d.pause_rate) AS pause_rate,
        avg(d.energy_variability) AS energy_variability
    FROM fortnight_days AS f
    INNER JOIN affect.monitored_days AS d ON f.patient_key = d.patient_key AND f.voice_day = d.local_day
    GROUP BY f.patient_key, d.model_digest, f.local_day, f.phq8
    HAVING count(*) >= 3
) AS v
CROSS JOIN
    LATERAL (
        VALUES
        ('depression' COLLATE "C", v.depression),
        ('valence' COLLATE "C", v.valence),
        ('arousal' COLLATE "C", v.arousal),
        ('pitch_variability' COLLATE "C", v.pitch_variability),
        ('speech_rate' COLLATE "C", v.speech_rate),
        ('pause_rate' COLLATE "C", v.pause_rate),
        ('energy_variability' COLLATE "C", v.energy_variability)
    ) AS c (channel, voice)
WHERE c.voice IS NOT NULL;

COMMENT ON VIEW affect.phq_voice_pairs IS
'Each PHQ beside the mean day value of every voice channel over the fourteen days it asks about, where at least three '
'of them have a usable recording.';

-- Within patients: repeated-measures correlation (Bakdash & Marusich, Frontiers in Psychology 2017, 8:456): the
-- correlation of what is left when each patient's own mean is taken away, with n - k - 1 degrees of freedom and an
-- interval by Fisher's z. Between patients: the correlation of their means.
CREATE VIEW affect.phq_agreement WITH (security_invoker = true) AS
WITH centred AS (
    SELECT
        p.model_digest,
        p.channel,
        p.patient_key,
        p.phq8,
        p.voice,
        p.phq8 - avg(p.phq8) OVER own AS phq8_residual,
        p.voice - avg(p.voice) OVER own AS voice_residual,
        count(*) OVER own AS n_own
    FROM affect.phq_voice_pairs AS p
    WINDOW own AS (PARTITION BY p.model_digest, p.channel, p.patient_key)
),

within_patients AS (
    SELECT
        c.model_digest,
        c.channel,
        count(*) AS n_pairs,
        count(DISTINCT c.patient_key) AS n_patients,
        -- What does not vary has no correlation; rounding must not invent one.
        CASE
            WHEN stddev_pop(c.phq8_residual) > 1e-9 AND stddev_pop(c.voice_residual) > 1e-9
                THEN greatest(-1, least(1, corr(c.phq8_residual, c.voice_residual)))
        END AS r
    FROM centred AS c
    WHERE c.n_own >= 2
    GROUP BY c.model_digest, c.channel
),

patient_means AS (
    SELECT
        c.model_digest,
        c.channel,
        c.patient_key,
        avg(c.phq8) AS phq8,
        avg(c.voice) AS voice,
        count(*) AS n_own
    FROM centred AS c
    GROUP BY c.model_digest, c.channel, c.patient_key
),

between_patients AS (
    SELECT
        m.model_digest,
        m.channel,
        count(*) AS n_patients,
        sum(m.n_own) AS n_pairs,
        CASE
            WHEN stddev_pop(m.phq8) > 1e-9 AND stddev_pop(m.voice) > 1e-9
                THEN greatest(-1, least(1, corr(m.phq8, m.voice)))
        END AS r
    FROM patient_means AS m
    GROUP BY m.model_digest, m.channel
),

both_ways AS (
    SELECT
        b.model_digest,
        b.channel,
        b.n_pairs,
        b.n_patients,
        b.r AS between_r,
        w.n_pairs AS within_pairs,
        w.n_patients AS within_patients,
        CASE WHEN w.n_pairs - w.n_patients - 1 > 0 THEN w.r END AS within_r,
        1.96 / sqrt(nullif(greatest(w.n_pairs - w.n_patients - 2, 0), 0)) AS within_half,
        1.96 / sqrt(nullif(greatest(b.n_patients - 3, 0), 0)) AS between_half
    FROM between_patients AS b
    LEFT JOIN within_patients AS w ON b.model_digest = w.model_digest AND b.channel = w.channel
)

SELECT
    x.model_digest,
    x.channel,
    x.n_patients,
    x.n_pairs,
    coalesce(x.within_patients, 0) AS within_patients,
    coalesce(x.within_pairs, 0) AS within_pairs,
    x.within_r,
    tanh(atanh(x.within_r) - x.within_half) AS within_low,
    tanh(atanh(x.within_r) + x.within_half) AS within_high,
    x.between_r,
    tanh(atanh(x.between_r) - x.between_half) AS between_low,
    tanh(atanh(x.between_r) + x.between_half) AS between_high
FROM both_ways AS x;

COMMENT ON VIEW affect.phq_agreement IS
'How far each voice channel goes with the PHQ, with 95 % intervals: within_r is the repeated-measures correlation (of '
'patients with two pairs or more), between_r the correlation of patients'' means. Empty where nothing varies.';

CREATE VIEW affect.phq_changes WITH (security_invoker = true) AS
SELECT
    q.patient_key,
    q.day_before,
    q.local_day,
    q.phq8_before,
    q.phq8,
    q.phq8 - q.phq8_before AS change,
    q.phq8 - q.phq8_before >= 5 AS rose
FROM (
    SELECT
        d.patient_key,
        d.local_day,
        d.phq8,
        lag(d.local_day) OVER in_order AS day_before,
        lag(d.phq8) OVER in_order AS phq8_before
    FROM affect.phq_days AS d
    WINDOW in_order AS (PARTITION BY d.patient_key ORDER BY d.local_day)
) AS q
WHERE q.local_day - q.day_before <= 42;

COMMENT ON VIEW affect.phq_changes IS
'One PHQ after another of the same patient, at most six weeks apart. rose: by five points or more, which counts as a '
'change that matters (Löwe et al., Medical Care 2004, 42:1194-1201).';

-- Area under the curve of a voice channel's change for a PHQ rise, with the interval of Obuchowski (Biometrics 1997,
-- 53:567-578), which knows that the changes of one patient belong together.
CREATE VIEW affect.phq_change_auc WITH (security_invoker = true) AS
WITH in_order AS (
    SELECT
        p.model_digest,
        p.channel,
        p.patient_key,
        p.local_day - lag(p.local_day) OVER own AS n_days,
        p.phq8 - lag(p.phq8) OVER own AS change,
        p.voice - lag(p.voice) OVER own AS moved
    FROM affect.phq_voice_pairs AS p
    WINDOW own AS (PARTITION BY p.model_digest, p.channel, p.patient_key ORDER BY p.local_day)
),

changes AS (
    SELECT
        o.model_digest,
        o.channel,
        o.patient_key,
        o.change >= 5 AS rose,
        o.moved
    FROM in_order AS o
    WHERE o.n_days <= 42
),

ranked AS (
    SELECT
        x.model_digest,
        x.channel,
        x.patient_key,
        x.rose,
        rank() OVER (PARTITION BY x.model_digest, x.channel ORDER BY x.moved)
        + (count(*) OVER (PARTITION BY x.model_digest, x.channel, x.moved) - 1) / 2.0
        - rank() OVER (PARTITION BY x.model_digest, x.channel, x.rose ORDER BY x.moved)
        - (count(*) OVER (PARTITION BY x.model_digest, x.channel, x.rose, x.moved) - 1) / 2.0 AS n_below,
        count(*) FILTER (WHERE x.rose) OVER of_channel AS n_rises,
        count(*) FILTER (WHERE NOT x.rose) OVER of_channel AS n_others
    FROM changes AS x
    WINDOW of_channel AS (PARTITION BY x.model_digest, x.channel)
),

placed AS (
    SELECT
        r.model_digest,
        r.channel,
        r.patient_key,
        r.n_rises,
        r.n_others,
        count(*) FILTER (WHERE r.rose) AS own_rises,
        count(*) FILTER (WHERE NOT r.rose) AS own_others,
        coalesce(sum(r.n_below / nullif(r.n_others, 0)) FILTER (WHERE r.rose), 0) AS rises_placed,
        coalesce(sum(1 - r.n_below / nullif(r.n_rises, 0)) FILTER (WHERE NOT r.rose), 0) AS others_placed
    FROM ranked AS r
    GROUP BY r.model_digest, r.channel, r.patient_key, r.n_rises, r.n_others
),

areas AS (
    SELECT
        p.*,
        sum(p.rises_placed) OVER (PARTITION BY p.model_digest, p.channel) / nullif(p.n_rises, 0) AS auc
    FROM placed AS p
    WHERE p.n_others > 0
),

summed AS (
    SELECT
        a.model_digest,
        a.channel,
        count(*) AS n_patients,
        a.n_rises,
        a.n_others,
        a.auc,
        count(*) FILTER (WHERE a.own_rises > 0) AS with_rises,
        count(*) FILTER (WHERE a.own_others > 0) AS with_others,
        sum(power(a.rises_placed - a.own_rises * a.auc, 2)) AS ss_rises,
        sum(power(a.others_placed - a.own_others * a.auc, 2)) AS ss_others,
        sum((a.rises_placed - a.own_rises * a.auc) * (a.others_placed - a.own_others * a.auc)) AS ss_both
    FROM areas AS a
    GROUP BY a.model_digest, a.channel, a.n_rises, a.n_others, a.auc
),

errors AS (
    SELECT
        s.model_digest,
        s.channel,
        s.n_patients,
        s.n_rises,
        s.n_others,
        s.auc,
        CASE
            WHEN s.with_rises >= 2 AND s.with_others >= 2
                THEN
                    sqrt(greatest(
                        0,
                        s.with_rises * s.ss_rises / ((s.with_rises - 1) * power(s.n_rises, 2))
                        + s.with_others * s.ss_others / ((s.with_others - 1) * power(s.n_others, 2))
                        + 2 * s.n_patients * s.ss_both / ((s.n_patients - 1) * s.n_rises * s.n_others)
                    ))
        END AS se
    FROM summed AS s
)

SELECT
    e.model_digest,
    e.channel,
    e.n_patients,
    e.n_rises,
    e.n_rises + e.n_others AS n_changes,
    e.auc::double precision AS auc,
    CASE WHEN e.se IS NOT NULL THEN greatest(0, e.auc - 1.96 * e.se)::double precision END AS auc_low,
    CASE WHEN e.se IS NOT NULL THEN least(1, e.auc + 1.96 * e.se)::double precision END AS auc_high
FROM errors AS e
WHERE e.auc IS NOT NULL;

COMMENT ON VIEW affect.phq_change_auc IS
'How well a change of a voice channel tells a PHQ rise of five points from other changes, with a 95 % interval: 0.5 is '
'chance; below it, the channel falls when the PHQ rises. Changes are between pairs, six weeks apart at most.';

-- Alerts of worsening against what the PHQ did. Intervals are Wilson's (Journal of the American Statistical
-- Association 1927) and take alerts and rises as independent.
CREATE VIEW affect.phq_alert_agreement WITH (security_invoker = true) AS
WITH worsening AS (
    SELECT
        a.alert_id,
        a.patient_key,
        a.model_digest,
        a.opened_night,
        coalesce(a.onset_day, a.opened_day, a.opened_night) AS began
    FROM affect.drift_alerts AS a
    WHERE a.direction = 'worsening'
),

judged_alerts AS (
    SELECT
        w.model_digest,
        w.patient_key,
        'precision' AS measure,
        later.phq8 - earlier.phq8 >= 5 AS agreed
    FROM worsening AS w
    INNER JOIN LATERAL (
        SELECT d.phq8
        FROM affect.phq_days AS d
        WHERE d.patient_key = w.patient_key AND d.local_day BETWEEN w.began - 42 AND w.began
        ORDER BY d.local_day DESC
        LIMIT 1
    ) AS earlier ON true
    INNER JOIN LATERAL (
        SELECT max(d.phq8) AS phq8
        FROM affect.phq_days AS d
        WHERE d.patient_key = w.patient_key AND d.local_day BETWEEN w.opened_night AND w.opened_night + 27
    ) AS later ON later.phq8 IS NOT NULL
),

judged_rises AS (
    SELECT
        m.model_digest,
        c.patient_key,
        'sensitivity' AS measure,
        exists(
            SELECT FROM worsening AS w
            WHERE
                w.patient_key = c.patient_key AND w.model_digest = m.model_digest
                AND w.opened_night BETWEEN c.day_before AND c.local_day + 14
        ) AS agreed
    FROM affect.phq_changes AS c
    -- What no chart could judge was not missed.
    INNER JOIN LATERAL (
        SELECT DISTINCT d.model_digest
        FROM affect.monitored_days AS d
        WHERE
            d.patient_key = c.patient_key AND d.local_day BETWEEN c.day_before AND c.local_day
            AND d.limit_value IS NOT NULL
    ) AS m ON true
    WHERE c.rose
),

counted AS (
    SELECT
        j.model_digest,
        j.measure,
        count(DISTINCT j.patient_key) AS n_patients,
        count(*) AS n,
        count(*) FILTER (WHERE j.agreed) AS n_agreed,
        avg(j.agreed::integer)::double precision AS share
    FROM (
        SELECT * FROM judged_alerts
        UNION ALL
        SELECT * FROM judged_rises
    ) AS j
    GROUP BY j.model_digest, j.measure
)

SELECT
    c.model_digest,
    c.measure,
    c.n_patients,
    c.n,
    c.n_agreed,
    c.share,
    (
        c.share + power(1.96, 2) / (2 * c.n)
        - 1.96 * sqrt(c.share * (1 - c.share) / c.n + power(1.96, 2) / (4 * power(c.n, 2)))
    ) / (1 + power(1.96, 2) / c.n) AS share_low,
    (
        c.share + power(1.96, 2) / (2 * c.n)
        + 1.96 * sqrt(c.share * (1 - c.share) / c.n + power(1.96, 2) / (4 * power(c.n, 2)))
    ) / (1 + power(1.96, 2) / c.n) AS share_high
FROM counted AS c;

COMMENT ON VIEW affect.phq_alert_agreement IS
'Alerts of worsening against the PHQ, with 95 % intervals. precision: of the alerts with a PHQ before the change began '
'(up to six weeks) and one after (up to four weeks), the share after which the PHQ stood five points higher or more. '
'sensitivity: of the PHQ rises of five points that a chart could judge, the share with an alert between the two PHQs '
'or up to two weeks later.';
