-- Views are put up anew together, so that a changed column never meets an old view that leans on it.
DO $$
DECLARE
    stale record;
BEGIN
    FOR stale IN
        SELECT v.schemaname, v.viewname FROM pg_views AS v WHERE v.schemaname IN ('affect', 'affect_omop')
    LOOP
        EXECUTE format('DROP VIEW IF EXISTS %I.%I CASCADE', stale.schemaname, stale.viewname);
    END LOOP;
END
$$;
