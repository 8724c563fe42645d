-- One run a night of the last two weeks.
INSERT INTO affect.runs (
    run_id, dag_id, first_night, last_night, outcome, counts, model_digest, suite_version, code_version, started_at,
    finished_at
)
SELECT
    'made-up ' || night,
    'nightly_voice_monitoring',
    cast(night AS date),
    cast(night AS date),
    'succeeded',
    '{}',
    :model_digest,
    '1',
    '0.1.0',
    night AT TIME ZONE 'UTC' + interval '2 hours',
    night AT TIME ZONE 'UTC' + interval '2 hours 7 minutes'
FROM generate_series(
    cast(cast(:last_day AS date) - 12 AS timestamp), cast(cast(:last_day AS date) + 1 AS timestamp), interval '1 day'
) AS night;
