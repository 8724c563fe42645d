-- How far the charts have come, of any model version.
SELECT max(m.through_night) AS through_night
FROM affect.monitor_progress AS m;
