-- Columns of a table, in order: name, type, and whether a row may leave it out because it has a default.
SELECT
    a.attname AS column_name,
    format_type(a.atttypid, a.atttypmod) AS data_type,
    (a.atthasdef OR a.attidentity <> '') AS has_default
FROM pg_catalog.pg_attribute AS a
INNER JOIN pg_catalog.pg_class AS c ON a.attrelid = c.oid
INNER JOIN pg_catalog.pg_namespace AS n ON c.relnamespace = n.oid
WHERE n.nspname = 'affect' AND c.relname = :table AND a.attnum > 0 AND NOT a.attisdropped
ORDER BY a.attnum;
