-- Secrets that only the owner reads. They sign the identity of a person's session, so that SQL which runs inside the
-- session cannot claim to be somebody else, and they are the password of the logins that those sessions use.
CREATE SCHEMA affect_private;

COMMENT ON SCHEMA affect_private IS 'Secrets of the warehouse; for its owner only.';

CREATE TABLE affect_private.session_secrets (
    only_one boolean NOT NULL DEFAULT true,
    inner_key bytea NOT NULL,
    outer_key bytea NOT NULL,
    web_password text NOT NULL,
    CONSTRAINT session_secrets_pkey PRIMARY KEY (only_one),
    CONSTRAINT session_secrets_one_row CHECK (only_one)
);

COMMENT ON TABLE affect_private.session_secrets IS
'One row: the keys that sign sessions and the password of the web logins.';
COMMENT ON COLUMN affect_private.session_secrets.only_one IS 'Holds the table to one row.';
COMMENT ON COLUMN affect_private.session_secrets.inner_key IS
'Inner key of the nested SHA-256 (the NMAC construction), 64 random bytes.';
COMMENT ON COLUMN affect_private.session_secrets.outer_key IS 'Outer key, 64 random bytes.';
COMMENT ON COLUMN affect_private.session_secrets.web_password IS
'Password of affect_web_counselor, affect_web_analyst and affect_web_admin.';

-- gen_random_uuid() draws 122 bits from the system's strong source; eight of them fill 64 bytes with room to spare.
INSERT INTO affect_private.session_secrets (inner_key, outer_key, web_password)
SELECT
    sha512(string_agg(uuid_send(gen_random_uuid()), '') FILTER (WHERE n <= 8)),
    sha512(string_agg(uuid_send(gen_random_uuid()), '') FILTER (WHERE n > 8)),
    encode(sha256(string_agg(uuid_send(gen_random_uuid()), '')), 'hex')
FROM generate_series(1, 16) AS n;
