-- Of the given months, those that a partitioned table has no partition for.
SELECT m.month_start
FROM unnest(cast(:months AS date[])) AS m (month_start)
WHERE to_regclass(format('affect.%I', :table || to_char(m.month_start, '_YYYY_MM'))) IS NULL;
