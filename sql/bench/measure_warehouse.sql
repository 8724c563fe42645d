-- How large the warehouse is.
SELECT
    (SELECT count(*) FROM affect.journals) AS n_journals,
    pg_database_size(current_database()) AS n_bytes;
