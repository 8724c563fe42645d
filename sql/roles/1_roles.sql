-- Roles belong to the server, not to the database, so they may be there already; two warehouses may come up at once.
--
-- affect_pipeline, affect_analyst, affect_counselor and affect_admin hold the rights. People's own database logins are
-- made members of one of them. The web service logs in as affect_web_*: each is a member of one role only, so no SQL in
-- a counselor's session can SET ROLE to anything that sees more. They get their password when the service first needs
-- it (affect_private.reset_web_passwords); without one nobody can log in as them over a network.
DO $$
DECLARE
    group_role text;
    web_role text;
BEGIN
    FOREACH group_role IN ARRAY ARRAY['affect_pipeline', 'affect_analyst', 'affect_counselor', 'affect_admin'] LOOP
        CONTINUE WHEN EXISTS (SELECT FROM pg_roles WHERE rolname = group_role);
        BEGIN
            EXECUTE format('CREATE ROLE %I NOLOGIN', group_role);
        EXCEPTION WHEN duplicate_object OR unique_violation THEN
            NULL; -- another migration was first
        END;
    END LOOP;
    FOREACH group_role IN ARRAY ARRAY['affect_analyst', 'affect_counselor', 'affect_admin'] LOOP
        web_role := replace(group_role, 'affect_', 'affect_web_');
        CONTINUE WHEN EXISTS (SELECT FROM pg_roles WHERE rolname = web_role);
        BEGIN
            EXECUTE format('CREATE ROLE %I LOGIN IN ROLE %I', web_role, group_role);
        EXCEPTION WHEN duplicate_object OR unique_violation THEN
            NULL;
        END;
    END LOOP;
EXCEPTION WHEN insufficient_privilege THEN
    RAISE EXCEPTION 'the roles of the warehouse are missing and this login may not create them'
        USING HINT = 'Run `affect warehouse migrate` once with a login that has CREATEROLE.';
END
$$;
