-- Gives patients without one the integer that the OMOP views count them by. It follows from the pseudonym; where two
-- patients hash to the same, who came later (of one load: whose key is greater) takes the next hash. Once given, it
-- stays.
CREATE OR REPLACE FUNCTION affect_private.assign_persons()
RETURNS bigint
LANGUAGE plpgsql
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    attempt integer := 0;
    n_missing bigint;
    n_given bigint;
    n_all bigint := 0;
BEGIN
    LOOP
        attempt := attempt + 1;
        INSERT INTO affect.omop_persons AS o (patient_key, person_id)
        SELECT DISTINCT ON (c.person_id)
            c.patient_key,
            c.person_id
        FROM (
            SELECT
                p.patient_key,
                (
                    1 + ('x' || encode(substring(sha256(convert_to(attempt || ':' || p.patient_key, 'UTF8')) FOR 4), 'hex'))
                    ::bit(32)::bigint % 2147483646
                )::integer AS person_id
            FROM affect.patients AS p
            WHERE NOT EXISTS (SELECT FROM affect.omop_persons AS x WHERE x.patient_key = p.patient_key)
        ) AS c
        ORDER BY c.person_id, c.patient_key
        ON CONFLICT DO NOTHING;
        GET DIAGNOSTICS n_given = ROW_COUNT;
        n_all := n_all + n_given;
        SELECT count(*) INTO n_missing
        FROM affect.patients AS p
        WHERE NOT EXISTS (SELECT FROM affect.omop_persons AS x WHERE x.patient_key = p.patient_key);
        EXIT WHEN n_missing = 0;
    END LOOP;
    RETURN n_all;
END
$$;

REVOKE ALL ON FUNCTION affect_private.assign_persons() FROM public;

-- New pseudonyms get new integers: the old ones would lead from old exports to them.
CREATE OR REPLACE FUNCTION affect_private.assign_persons_anew()
RETURNS bigint
LANGUAGE plpgsql
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    DELETE FROM affect.omop_persons;
    RETURN affect_private.assign_persons();
END
$$;

REVOKE ALL ON FUNCTION affect_private.assign_persons_anew() FROM public;

CREATE OR REPLACE FUNCTION affect_private.assign_new_persons()
RETURNS trigger
LANGUAGE plpgsql
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF EXISTS (SELECT FROM added) THEN
        PERFORM affect_private.assign_persons();
    END IF;
    RETURN NULL;
END
$$;

REVOKE ALL ON FUNCTION affect_private.assign_new_persons() FROM public;

CREATE OR REPLACE TRIGGER counted AFTER INSERT ON affect.patients
REFERENCING NEW TABLE AS added
FOR EACH STATEMENT EXECUTE FUNCTION affect_private.assign_new_persons();

SELECT affect_private.assign_persons();
