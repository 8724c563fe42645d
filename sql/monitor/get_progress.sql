-- How far the charts of a model version have come.
SELECT
    monitor_progress.first_night,
    monitor_progress.through_night,
    monitor_progress.rules,
    monitor_progress.side
FROM affect.monitor_progress
WHERE monitor_progress.model_digest = :model_digest;
