-- Sides of the states that hold those of other model versions, too.
SELECT DISTINCT monitor_progress.side
FROM affect.monitor_progress
WHERE monitor_progress.model_digest <> :model_digest;
