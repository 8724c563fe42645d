-- Every table and view with its columns and comments, in the order of the dictionary.
SELECT
    c.relname AS relation_name,
    CASE WHEN c.relkind = 'v' THEN 'view' ELSE 'table' END AS kind,
    obj_description(c.oid, 'pg_class') AS relation_comment,
    a.attname AS column_name,
    format_type(a.atttypid, a.atttypmod) AS data_type,
    a.attnotnull AS is_required,
    coalesce(a.attnum = any(k.conkey), false) AS is_key,
    col_description(c.oid, a.attnum) AS column_comment,
    CASE WHEN c.relkind = 'p' THEN pg_get_partkeydef(c.oid) END AS partition_key
FROM pg_catalog.pg_class AS c
INNER JOIN pg_catalog.pg_attribute AS a ON c.oid = a.attrelid
LEFT JOIN pg_catalog.pg_constraint AS k ON c.oid = k.conrelid AND k.contype = 'p'
WHERE
    c.relnamespace = 'affect'::regnamespace
    AND c.relkind IN ('r', 'p', 'v')
    AND NOT c.relispartition
    AND a.attnum > 0
    AND NOT a.attisdropped
ORDER BY (c.relkind = 'v'), c.relname COLLATE "C", a.attnum;
