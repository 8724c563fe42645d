-- The newest baseline replaces the one before.
INSERT INTO affect.baselines AS t (
    patient_key, model_digest, channel, segment, state, reason, ready_on, first_day, last_day, n_days, mean,
    sd, autocorrelation, weekday_effects, as_of_night
)
SELECT
    s.patient_key,
    s.model_digest,
    s.channel,
    s.segment,
    s.state,
    s.reason,
    s.ready_on,
    s.first_day,
    s.last_day,
    s.n_days,
    s.mean,
    s.sd,
    s.autocorrelation,
    s.weekday_effects,
    s.as_of_night
FROM pg_temp.staging_baselines AS s
ORDER BY s.patient_key, s.model_digest, s.channel
ON CONFLICT (patient_key, model_digest, channel) DO UPDATE SET
    segment = excluded.segment,
    state = excluded.state,
    reason = excluded.reason,
    ready_on = excluded.ready_on,
    first_day = excluded.first_day,
    last_day = excluded.last_day,
    n_days = excluded.n_days,
    mean = excluded.mean,
    sd = excluded.sd,
    autocorrelation = excluded.autocorrelation,
    weekday_effects = excluded.weekday_effects,
    as_of_night = excluded.as_of_night
-- Writing a row that is there already would cost as much as a change.
WHERE
(
    t.segment, t.state, t.reason, t.ready_on, t.first_day, t.last_day, t.n_days, t.mean, t.sd,
    t.autocorrelation, t.weekday_effects, t.as_of_night
) IS DISTINCT FROM (
    excluded.segment, excluded.state, excluded.reason, excluded.ready_on, excluded.first_day,
    excluded.last_day, excluded.n_days, excluded.mean, excluded.sd, excluded.autocorrelation,
    excluded.weekday_effects, excluded.as_of_night
);
