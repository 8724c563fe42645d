-- The newest state replaces the one before.
INSERT INTO affect.chart_state AS t (patient_key, model_digest, through_day, version, state)
SELECT
    s.patient_key,
    s.model_digest,
    s.through_day,
    s.version,
    s.state
FROM pg_temp.staging_chart_state AS s
ORDER BY s.patient_key, s.model_digest
ON CONFLICT (patient_key, model_digest) DO UPDATE SET
    through_day = excluded.through_day,
    version = excluded.version,
    state = excluded.state
-- Writing a row that is there already would cost as much as a change.
WHERE
(
    t.through_day, t.version, t.state
) IS DISTINCT FROM (
    excluded.through_day, excluded.version, excluded.state
);
