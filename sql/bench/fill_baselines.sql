-- Baselines of all channels, from each patient's scores before the change. Channels other than depression are the same
-- curve on another scale: :centres and :slopes say which, in the order of :channels.
INSERT INTO affect.baselines (
    patient_key, model_digest, channel, segment, state, reason, ready_on, first_day, last_day, n_days, mean, sd,
    autocorrelation, as_of_night
)
SELECT
    patients.patient_key,
    :model_digest,
    curves.channel,
    1,
    CASE WHEN past.n_days >= 14 THEN 'ready' ELSE 'too_little_data' END,
    CASE WHEN past.n_days >= 14 THEN NULL ELSE 'fewer than 14 day values' END,
    CASE
        WHEN past.n_days >= 14 THEN NULL ELSE cast(:last_day AS date) + 14 - coalesce(cast(past.n_days AS integer), 6)
    END,
    past.first_day,
    past.last_day,
    coalesce(past.n_days, 0),
    curves.centre + curves.slope * (past.mean + 1.2),
    CASE WHEN past.n_days > 0 THEN greatest(coalesce(abs(curves.slope) * past.sd, 0), 0.05) END,
    CASE WHEN past.n_days > 0 THEN 0.3 END,
    cast(:last_day AS date) + 1
FROM affect.patients
CROSS JOIN
    unnest(cast(:channels AS text[]), cast(:centres AS float8[]), cast(:slopes AS float8[])) AS curves (
        channel, centre, slope
    )
LEFT JOIN (
    SELECT
        scores.patient_key,
        count(*) AS n_days,
        min(scores.local_day) AS first_day,
        max(scores.local_day) AS last_day,
        -- as decimal numbers, whose sum does not depend on the order of rows
        cast(avg(cast(scores.depression_logit AS numeric)) AS float8) AS mean,
        cast(stddev_samp(cast(scores.depression_logit AS numeric)) AS float8) AS sd
    FROM affect.scores
    WHERE scores.local_day <= cast(:last_day AS date) - 20 OR cast(:n_days AS integer) < 40
    GROUP BY scores.patient_key
) AS past ON patients.patient_key = past.patient_key;
