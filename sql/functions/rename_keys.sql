-- Gives pseudonyms other names in whatever table has them: tables are found by their columns. Part of a rotation.
CREATE OR REPLACE FUNCTION affect_private.rename_keys(columns_named text[], old_keys text[], new_keys text[])
RETURNS bigint
LANGUAGE plpgsql
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    found record;
    n_rows bigint;
    n_all bigint := 0;
BEGIN
    PERFORM pg_advisory_xact_lock(107075202213506); -- no run derives charts meanwhile
    CREATE TEMPORARY TABLE renamed ON COMMIT DROP AS
    SELECT * FROM unnest(old_keys, new_keys) AS r (old_key, new_key);
    ALTER TABLE pg_temp.renamed ADD PRIMARY KEY (old_key);
    ANALYZE pg_temp.renamed;
    FOR found IN
        SELECT
            c.oid::regclass AS named,
            a.attname
        FROM pg_class AS c
        INNER JOIN pg_attribute AS a ON c.oid = a.attrelid
        WHERE
            c.relnamespace IN ('affect'::regnamespace, 'affect_private'::regnamespace)
            AND c.relkind IN ('r', 'p')
            AND NOT c.relispartition
            AND NOT a.attisdropped
            AND a.attname = any(columns_named)
    LOOP
        EXECUTE format(
            'UPDATE %1$s AS t SET %2$I = r.new_key FROM pg_temp.renamed AS r WHERE t.%2$I = r.old_key',
            found.named, found.attname
        );
        GET DIAGNOSTICS n_rows = ROW_COUNT;
        n_all := n_all + n_rows;
    END LOOP;
    DROP TABLE pg_temp.renamed;
    RETURN n_all;
END
$$;

REVOKE ALL ON FUNCTION affect_private.rename_keys(text[], text[], text[]) FROM public;

-- The pseudonyms that audit events stand for, for who verifies and lists them.
CREATE OR REPLACE FUNCTION affect_private.list_audit_subjects()
RETURNS TABLE (patient_key text, subject uuid)
LANGUAGE sql
STABLE
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT
        s.patient_key,
        s.subject
    FROM affect_private.audit_subjects AS s
$$;

REVOKE ALL ON FUNCTION affect_private.list_audit_subjects() FROM public;
