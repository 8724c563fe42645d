-- Names the tables whose keys restore_keys puts back in this transaction, and lets it sort in memory.
SELECT
    set_config('made_up.tables', :tables, true) AS tables,
    set_config('maintenance_work_mem', '1GB', true) AS memory,
    set_config('max_parallel_maintenance_workers', '0', true) AS workers;
