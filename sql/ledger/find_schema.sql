-- The table every warehouse has; null where there is no warehouse yet.
SELECT to_regclass('affect.journals')::text AS found;
