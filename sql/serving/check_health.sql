-- Whether the warehouse answers and has our schema.
SELECT to_regclass('affect.patients') IS NOT NULL AS has_schema;
