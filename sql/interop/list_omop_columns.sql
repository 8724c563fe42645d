SELECT
    c.column_name,
    c.data_type,
    c.character_maximum_length
FROM information_schema.columns AS c
WHERE c.table_schema = 'affect_omop' AND c.table_name = :table_name
ORDER BY c.ordinal_position;
