-- Rows and hash of every table that counts.
SELECT
    h.table_name,
    h.n_rows,
    h.digest
FROM affect.content_hash() AS h;
