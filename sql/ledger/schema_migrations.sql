-- The ledger of migrations. It stands outside the numbered ones because they are recorded in it.
CREATE SCHEMA IF NOT EXISTS affect;

CREATE TABLE IF NOT EXISTS affect.schema_migrations (
    name text NOT NULL,
    checksum text NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT schema_migrations_pkey PRIMARY KEY (name)
);

COMMENT ON TABLE affect.schema_migrations IS
'[clock] Migrations that were applied, each with the checksum of its text.';
COMMENT ON COLUMN affect.schema_migrations.name IS
'Name of the file; "repeatable" stands for all functions, views and roles.';
COMMENT ON COLUMN affect.schema_migrations.checksum IS 'SHA-256 of the text; an edited past migration is refused.';
COMMENT ON COLUMN affect.schema_migrations.applied_at IS 'When it was applied.';
