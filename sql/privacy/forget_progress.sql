-- Have the charts made anew.
DELETE FROM affect.monitor_progress
WHERE true;
