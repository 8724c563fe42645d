-- Empty, and not an error, where the warehouse has never been migrated.
SELECT name
FROM affect.schema_migrations
ORDER BY name;
