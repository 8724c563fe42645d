-- Remove every row about a patient; says how many from which table.
SELECT
    e.table_name,
    e.n_rows
FROM affect_private.erase_patient(:patient_key) AS e;
