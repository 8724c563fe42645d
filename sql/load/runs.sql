-- A run is written when it starts and again when it ends.
INSERT INTO affect.runs AS t (
    run_id, dag_id, first_night, last_night, outcome, counts, model_digest, suite_version, settings_digest,
    code_version, started_at, finished_at
)
SELECT
    s.run_id,
    s.dag_id,
    s.first_night,
    s.last_night,
    s.outcome,
    s.counts,
    s.model_digest,
    s.suite_version,
    s.settings_digest,
    s.code_version,
    s.started_at,
    s.finished_at
FROM pg_temp.staging_runs AS s
ORDER BY s.run_id
ON CONFLICT (run_id) DO UPDATE SET
    dag_id = excluded.dag_id,
    first_night = excluded.first_night,
    last_night = excluded.last_night,
    outcome = excluded.outcome,
    counts = excluded.counts,
    model_digest = excluded.model_digest,
    suite_version = excluded.suite_version,
    settings_digest = excluded.settings_digest,
    code_version = excluded.code_version,
    started_at = excluded.started_at,
    finished_at = excluded.finished_at;
