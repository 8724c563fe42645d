-- The budget of releases: kept by the warehouse itself, whoever writes to the ledger.

-- One release at a time looks at the ledger and adds to it; the next one waits until the transaction has ended. Should
-- a transaction not see what was committed since it began (repeatable read), the number it takes is taken already.
CREATE OR REPLACE FUNCTION affect_private.guard_privacy_budget()
RETURNS trigger
LANGUAGE plpgsql
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    granted numeric;
    spent numeric;
BEGIN
    PERFORM pg_advisory_xact_lock(107075202213505);
    SELECT b.rho INTO granted FROM affect.privacy_budgets AS b ORDER BY b.budget_id DESC LIMIT 1;
    SELECT coalesce(sum(r.rho), 0), coalesce(max(r.release_id), 0) + 1 INTO spent, NEW.release_id
    FROM affect.privacy_releases AS r;
    IF granted IS NULL OR spent + NEW.rho > granted THEN
        RAISE check_violation USING MESSAGE = 'the privacy budget does not cover this release';
    END IF;
    RETURN NEW;
END
$$;

CREATE OR REPLACE FUNCTION affect_private.refuse_rewriting()
RETURNS trigger
LANGUAGE plpgsql
AS $$
BEGIN
    RAISE insufficient_privilege USING MESSAGE = 'rows of ' || TG_TABLE_NAME || ' are only ever added';
END
$$;

CREATE OR REPLACE TRIGGER within_budget BEFORE INSERT ON affect.privacy_releases
FOR EACH ROW EXECUTE FUNCTION affect_private.guard_privacy_budget();

CREATE OR REPLACE TRIGGER only_added BEFORE UPDATE OR DELETE OR TRUNCATE ON affect.privacy_budgets
FOR EACH STATEMENT EXECUTE FUNCTION affect_private.refuse_rewriting();

CREATE OR REPLACE TRIGGER only_added BEFORE UPDATE OR DELETE OR TRUNCATE ON affect.privacy_releases
FOR EACH STATEMENT EXECUTE FUNCTION affect_private.refuse_rewriting();

CREATE OR REPLACE TRIGGER only_added BEFORE UPDATE OR DELETE OR TRUNCATE ON affect.released_trends
FOR EACH STATEMENT EXECUTE FUNCTION affect_private.refuse_rewriting();

REVOKE ALL ON FUNCTION affect_private.guard_privacy_budget() FROM public;
REVOKE ALL ON FUNCTION affect_private.refuse_rewriting() FROM public;
