-- Removes every row about a patient, from whatever table has one: tables are found by their columns, so that a table
-- made later is not forgotten. What hangs on journals and alerts goes first. The caller notes it in the audit trail.
CREATE OR REPLACE FUNCTION affect_private.erase_patient(patient text)
RETURNS TABLE (table_name text, n_rows bigint)
LANGUAGE plpgsql
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    found record;
    owned text[];
BEGIN
    PERFORM pg_advisory_xact_lock(107075202213506); -- no run derives charts meanwhile
    FOR found IN
        SELECT
            c.relname,
            a.attname,
            CASE a.attname WHEN 'alert_id' THEN 'drift_alerts' WHEN 'journal_id' THEN 'journals' END AS owner
        FROM pg_class AS c
        INNER JOIN pg_attribute AS a ON c.oid = a.attrelid
        WHERE
            c.relnamespace = 'affect'::regnamespace
            AND c.relkind IN ('r', 'p')
            AND NOT c.relispartition
            AND NOT a.attisdropped
            AND a.attname IN ('alert_id', 'journal_id', 'patient_key')
        ORDER BY a.attname, c.relname -- alert_id and journal_id before the tables that say whose they are
    LOOP
        table_name := found.relname;
        IF found.owner IS NULL THEN
            EXECUTE format('DELETE FROM affect.%I WHERE patient_key = $1', found.relname) USING patient;
        ELSIF found.relname = found.owner THEN
            CONTINUE; -- goes by its patient_key
        ELSE
            -- Refused deliveries have a journal_id of their own, which no other table shares.
            EXECUTE format('SELECT array_agg(o.%I) FROM affect.%I AS o WHERE o.patient_key = $1', found.attname, found.owner)
            INTO owned USING patient;
            EXECUTE format('DELETE FROM affect.%I WHERE %I = any($1)', found.relname, found.attname)
            USING coalesce(owned, '{}');
        END IF;
        GET DIAGNOSTICS n_rows = ROW_COUNT;
        IF n_rows > 0 THEN
            RETURN NEXT;
        END IF;
    END LOOP;
    -- What the charts know of the cohort rests on everybody in it: the next night makes all of it anew.
    DELETE FROM affect.cohort_profiles;
    DELETE FROM affect.monitor_progress;
END
$$;

REVOKE ALL ON FUNCTION affect_private.erase_patient(text) FROM public;

-- Which pseudonym an audit event's subject stands for is known no more.
CREATE OR REPLACE FUNCTION affect_private.forget_audit_subject(patient text)
RETURNS void
LANGUAGE sql
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
    DELETE FROM affect_private.audit_subjects WHERE patient_key = patient
$$;

REVOKE ALL ON FUNCTION affect_private.forget_audit_subject(text) FROM public;
