-- One SHA-256 a table over what its rows say, whatever the order they were written in.
--
-- Each row is hashed, hashes are sorted within 65,536 buckets, and the buckets are hashed in order: no aggregate grows
-- past PostgreSQL's limit of 1 GB. Floats print with the digits that give back the same bits. Tables and columns whose
-- comment starts with [clock] are left out.
CREATE OR REPLACE FUNCTION affect.content_hash()
RETURNS TABLE (table_name text, n_rows bigint, digest text)
LANGUAGE plpgsql
STABLE
SET search_path = pg_catalog, pg_temp
SET timezone = 'UTC'
SET datestyle = 'ISO, YMD'
SET intervalstyle = 'postgres'
SET extra_float_digits = 1
SET bytea_output = 'hex'
AS $$
DECLARE
    hashed record;
BEGIN
    FOR hashed IN
        SELECT
            c.relname,
            string_agg(quote_ident(a.attname), ', ' ORDER BY a.attname COLLATE "C") AS column_list
        FROM pg_class AS c
        INNER JOIN pg_attribute AS a ON c.oid = a.attrelid
        WHERE
            c.relnamespace = 'affect'::regnamespace
            AND c.relkind IN ('r', 'p')
            AND NOT c.relispartition
            AND a.attnum > 0
            AND NOT a.attisdropped
            AND coalesce(obj_description(c.oid, 'pg_class'), '') NOT LIKE '[clock]%'
            AND coalesce(col_description(c.oid, a.attnum), '') NOT LIKE '[clock]%'
        GROUP BY c.relname
        ORDER BY c.relname COLLATE "C"
    LOOP
        table_name := hashed.relname;
        EXECUTE format(
            $query$
            SELECT
                coalesce(sum(b.n_rows), 0),
                encode(sha256(convert_to(%1$L, 'UTF8') || coalesce(string_agg(b.digest, '' ORDER BY b.bucket), '')), 'hex')
            FROM (
                SELECT
                    substring(r.digest FOR 2) AS bucket,
                    count(*) AS n_rows,
                    sha256(string_agg(r.digest, '' ORDER BY r.digest)) AS digest
                FROM (SELECT sha256(convert_to(ROW(%1$s)::text, 'UTF8')) AS digest FROM affect.%2$I) AS r
                GROUP BY substring(r.digest FOR 2)
            ) AS b
            $query$,
            hashed.column_list, hashed.relname
        ) INTO n_rows, digest;
        RETURN NEXT;
    END LOOP;
END
$$;

REVOKE ALL ON FUNCTION affect.content_hash() FROM public;
