-- Puts back the keys and indexes that lay_bare took, on the tables named by choose_tables.
DO $$
DECLARE
    held record;
BEGIN
    FOR held IN
        SELECT k.made_by FROM affect_private.made_up_keys AS k
        WHERE k.of_table = any(string_to_array(current_setting('made_up.tables'), ','))
        ORDER BY k.of_table, k.key_name
    LOOP
        EXECUTE held.made_by;
    END LOOP;
END
$$;
