-- Who a session belongs to, and which patients that person may see.
--
-- A session of the web service carries a signed token in the setting affect.session. SQL inside the session can change
-- the setting, but cannot sign another name: the keys are out of its reach. A person with a database login of their own
-- is known by that login (session_user, which SET ROLE does not change).

CREATE OR REPLACE FUNCTION affect_private.sign(message text)
RETURNS text
LANGUAGE sql
STABLE
AS $$
    SELECT encode(sha256(s.outer_key || sha256(s.inner_key || convert_to(message, 'UTF8'))), 'hex')
    FROM affect_private.session_secrets AS s
$$;

-- Opens a session for an active person: the role to log in with, its password, and the token that names the person.
-- Callers have found out before who the person is.
CREATE OR REPLACE FUNCTION affect_private.open_session(person text, valid_s integer)
RETURNS TABLE (person_role text, web_password text, token text)
LANGUAGE sql
STABLE
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT
        p.role,
        s.web_password,
        m.message || '|' || affect_private.sign(m.message)
    FROM affect.people AS p
    CROSS JOIN affect_private.session_secrets AS s
    CROSS JOIN LATERAL (
        SELECT p.login || '|' || ceil(extract(epoch FROM clock_timestamp()) + valid_s)::bigint AS message
    ) AS m
    WHERE p.login = person AND p.active
$$;

-- Gives the web logins the password that this warehouse knows: the first time, and after another warehouse on the same
-- server has given them its own.
CREATE OR REPLACE FUNCTION affect_private.reset_web_passwords()
RETURNS void
LANGUAGE plpgsql
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    web_role text;
BEGIN
    FOREACH web_role IN ARRAY ARRAY['affect_web_counselor', 'affect_web_analyst', 'affect_web_admin'] LOOP
        EXECUTE format(
            'ALTER ROLE %I PASSWORD %L', web_role, (SELECT s.web_password FROM affect_private.session_secrets AS s)
        );
    END LOOP;
END
$$;

CREATE OR REPLACE FUNCTION affect.current_login()
RETURNS text
LANGUAGE plpgsql
STABLE
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    token text := current_setting('affect.session', true);
    parts text[];
BEGIN
    IF coalesce(token, '') = '' THEN
        RETURN (SELECT p.login FROM affect.people AS p WHERE p.login = session_user AND p.active);
    END IF;
    parts := string_to_array(token, '|');
    IF cardinality(parts) <> 3 OR affect_private.sign(parts[1] || '|' || parts[2]) IS DISTINCT FROM parts[3] THEN
        RETURN NULL;
    END IF;
    -- The signature holds, so the second part is a number that open_session wrote.
    IF parts[2]::bigint < extract(epoch FROM clock_timestamp()) THEN
        RETURN NULL;
    END IF;
    RETURN (SELECT p.login FROM affect.people AS p WHERE p.login = parts[1] AND p.active);
END
$$;

CREATE OR REPLACE FUNCTION affect.current_clinics()
RETURNS text[]
LANGUAGE sql
STABLE
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT coalesce((SELECT p.clinics FROM affect.people AS p WHERE p.login = affect.current_login()), '{}')
$$;

-- Clinics all of whose patients the person sees.
CREATE OR REPLACE FUNCTION affect.visible_clinics()
RETURNS text[]
LANGUAGE sql
STABLE
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT coalesce(
        (
            SELECT p.clinics FROM affect.people AS p
            WHERE p.login = affect.current_login() AND p.sees = 'clinic'
        ), '{}'
    )
$$;

-- Patients assigned to the person, whatever their clinic.
CREATE OR REPLACE FUNCTION affect.assigned_patients()
RETURNS SETOF text
LANGUAGE sql
STABLE
SECURITY DEFINER
ROWS 100
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT a.patient_key FROM affect.care_assignments AS a WHERE a.login = affect.current_login()
$$;

REVOKE ALL ON FUNCTION affect_private.sign(text) FROM public;
REVOKE ALL ON FUNCTION affect_private.open_session(text, integer) FROM public;
REVOKE ALL ON FUNCTION affect_private.reset_web_passwords() FROM public;
REVOKE ALL ON FUNCTION affect.current_login() FROM public;
REVOKE ALL ON FUNCTION affect.current_clinics() FROM public;
REVOKE ALL ON FUNCTION affect.visible_clinics() FROM public;
REVOKE ALL ON FUNCTION affect.assigned_patients() FROM public;
