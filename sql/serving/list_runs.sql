-- One page of runs, newest first.
SELECT
    runs.run_id,
    runs.dag_id,
    runs.first_night,
    runs.last_night,
    runs.outcome,
    runs.counts,
    runs.model_digest,
    runs.suite_version,
    runs.code_version,
    runs.started_at,
    runs.finished_at
FROM affect.runs
WHERE
    cast(:after_start AS timestamptz) IS NULL
    OR (runs.started_at, runs.run_id) < (cast(:after_start AS timestamptz), cast(:after_id AS text))
ORDER BY runs.started_at DESC NULLS LAST, runs.run_id DESC
LIMIT :page_size;
