-- Takes keys and indexes off the tables that a large fill writes, keeping their definitions, and stops logging their
-- changes: for a warehouse that is thrown away. restore_keys puts the keys back.
DO $$
DECLARE
    held record;
BEGIN
    CREATE TEMPORARY TABLE bare ON COMMIT DROP AS
    SELECT c.oid, c.relname, c.relkind
    FROM pg_class AS c
    WHERE
        c.relnamespace = 'affect'::regnamespace
        AND c.relkind IN ('r', 'p')
        AND (
            c.relname IN ('journals', 'deliveries', 'audio_quality', 'scores', 'monitored_days')
            OR EXISTS (
                SELECT FROM pg_inherits AS i
                WHERE i.inhrelid = c.oid AND i.inhparent IN ('affect.scores'::regclass, 'affect.monitored_days'::regclass)
            )
        );

    CREATE UNLOGGED TABLE affect_private.made_up_keys AS
    SELECT
        b.relname AS of_table,
        k.conname AS key_name,
        format('ALTER TABLE affect.%I ADD CONSTRAINT %I %s', b.relname, k.conname, pg_get_constraintdef(k.oid)) AS made_by
    FROM bare AS b
    INNER JOIN pg_constraint AS k ON b.oid = k.conrelid
    WHERE k.contype IN ('p', 'u') AND k.conparentid = 0
    UNION ALL
    SELECT
        b.relname,
        x.relname,
        replace(pg_get_indexdef(i.indexrelid), ' ON ONLY ', ' ON ')
    FROM bare AS b
    INNER JOIN pg_index AS i ON b.oid = i.indrelid
    INNER JOIN pg_class AS x ON i.indexrelid = x.oid
    WHERE
        NOT x.relispartition
        AND NOT EXISTS (SELECT FROM pg_constraint AS k WHERE k.conindid = i.indexrelid AND k.contype IN ('p', 'u'));

    FOR held IN SELECT * FROM affect_private.made_up_keys LOOP
        IF held.made_by LIKE 'ALTER TABLE%' THEN
            EXECUTE format('ALTER TABLE affect.%I DROP CONSTRAINT %I', held.of_table, held.key_name);
        ELSE
            EXECUTE format('DROP INDEX affect.%I', held.key_name);
        END IF;
    END LOOP;
    FOR held IN SELECT b.relname FROM bare AS b WHERE b.relkind = 'r' LOOP
        EXECUTE format('ALTER TABLE affect.%I SET UNLOGGED', held.relname);
        EXECUTE format('ALTER TABLE affect.%I SET (autovacuum_enabled = false)', held.relname);
    END LOOP;
END
$$;
