-- Views are put up anew together, so that a changed column never meets an old view that leans on it.
DO $$
DECLARE
    stale name;
BEGIN
    FOR stale IN SELECT v.viewname FROM pg_views AS v WHERE v.schemaname = 'affect' LOOP
        EXECUTE format('DROP VIEW IF EXISTS affect.%I CASCADE', stale);
    END LOOP;
END
$$;
