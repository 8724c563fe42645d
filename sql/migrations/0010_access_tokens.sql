-- How people and programs log in to the web service. Only digests are kept: a token is shown once, when it is made.
CREATE TABLE affect.access_tokens (
    token_digest text NOT NULL,
    login text NOT NULL,
    scope text NOT NULL DEFAULT 'everything',
    created_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz,
    CONSTRAINT access_tokens_pkey PRIMARY KEY (token_digest),
    CONSTRAINT access_tokens_digest_is_sha256 CHECK (token_digest ~ '^[0-9a-f]{64}$'),
    CONSTRAINT access_tokens_scope_known CHECK (scope IN ('everything', 'upload')),
    CONSTRAINT access_tokens_person_exists FOREIGN KEY (login)
    REFERENCES affect.people (login) ON DELETE CASCADE
);

CREATE INDEX access_tokens_login ON affect.access_tokens (login);

COMMENT ON TABLE affect.access_tokens IS '[clock] Access tokens of people and programs, as digests.';
COMMENT ON COLUMN affect.access_tokens.token_digest IS
'SHA-256 of the token, 64 hex characters. Tokens are 256 random bits.';
COMMENT ON COLUMN affect.access_tokens.login IS 'Person the token speaks for.';
COMMENT ON COLUMN affect.access_tokens.scope IS
'everything the person may do, or upload: live analysis and the delivery of journals only.';
COMMENT ON COLUMN affect.access_tokens.created_at IS 'When it was made.';
COMMENT ON COLUMN affect.access_tokens.expires_at IS 'When it stops working; empty: it does not by itself.';
