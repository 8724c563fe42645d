-- Role, password and signed token of a person's session; no row if the person may not look into the warehouse.
SELECT
    s.person_role,
    s.web_password,
    s.token
FROM affect_private.open_session(:login, :valid_s) AS s;
