-- Whether another model version has been in charge of nights up to or after :night.
SELECT count(*) AS n_others
FROM affect.monitor_progress
WHERE monitor_progress.model_digest <> :model_digest AND monitor_progress.through_night >= :night;
