-- Makes the monthly partitions that a load needs. It runs with the rights of the owner, so that loaders need not own
-- tables. A partition is made apart and then attached: ATTACH lets others read and write meanwhile, which
-- CREATE TABLE ... PARTITION OF would not.
CREATE OR REPLACE FUNCTION affect.ensure_month_partitions(parent name, months date[])
RETURNS integer
LANGUAGE plpgsql
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET client_min_messages = warning
AS $$
DECLARE
    month_start date;
    partition_name text;
    made integer := 0;
BEGIN
    IF parent NOT IN ('scores', 'biomarkers', 'monitored_days') THEN
        RAISE EXCEPTION 'affect.% is not partitioned by month', parent;
    END IF;
    FOR month_start IN
        SELECT DISTINCT date_trunc('month', m.day)::date AS first_day
        FROM unnest(months) AS m (day)
        ORDER BY first_day
    LOOP
        partition_name := format('%s_%s', parent, to_char(month_start, 'YYYY_MM'));
        CONTINUE WHEN to_regclass(format('affect.%I', partition_name)) IS NOT NULL;
        -- Only now a lock: most loads find their months there.
        PERFORM pg_advisory_xact_lock(hashtext('affect.ensure_month_partitions'));
        CONTINUE WHEN to_regclass(format('affect.%I', partition_name)) IS NOT NULL;
        EXECUTE format('CREATE TABLE affect.%I (LIKE affect.%I INCLUDING ALL)', partition_name, parent);
        EXECUTE format(
            'ALTER TABLE affect.%I ATTACH PARTITION affect.%I FOR VALUES FROM (%L) TO (%L)',
            parent, partition_name, month_start, (month_start + interval '1 month')::date
        );
        made := made + 1;
    END LOOP;
    RETURN made;
END
$$;

REVOKE ALL ON FUNCTION affect.ensure_month_partitions(name, date[]) FROM public;
