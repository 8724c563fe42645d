-- Keep the digest of a new access token.
INSERT INTO affect.access_tokens (token_digest, login, scope, expires_at)
VALUES (:token_digest, :login, :scope, :expires_at);
