-- A day that is computed again gets the new value.
INSERT INTO affect.day_values AS t (patient_key, model_digest, channel, local_day, value, se, n_journals)
SELECT
    s.patient_key,
    s.model_digest,
    s.channel,
    s.local_day,
    s.value,
    s.se,
    s.n_journals
FROM pg_temp.staging_day_values AS s
ORDER BY s.patient_key, s.model_digest, s.channel, s.local_day
ON CONFLICT (patient_key, model_digest, channel, local_day) DO UPDATE SET
    value = excluded.value,
    se = excluded.se,
    n_journals = excluded.n_journals
-- Writing a row that is there already would cost as much as a change.
WHERE
(
    t.value, t.se, t.n_journals
) IS DISTINCT FROM (
    excluded.value, excluded.se, excluded.n_journals
);
