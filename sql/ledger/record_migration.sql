INSERT INTO affect.schema_migrations (name, checksum)
VALUES (:name, :checksum)
ON CONFLICT (name) DO UPDATE SET checksum = excluded.checksum, applied_at = excluded.applied_at;
