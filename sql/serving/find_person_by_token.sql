-- The person an access token speaks for, if both are still good.
SELECT
    people.login,
    people.display_name,
    people.role,
    people.clinics,
    people.sees,
    access_tokens.scope
FROM affect.access_tokens
INNER JOIN affect.people ON access_tokens.login = people.login
WHERE
    access_tokens.token_digest = :token_digest
    AND people.active
    AND (access_tokens.expires_at IS NULL OR access_tokens.expires_at > now());
