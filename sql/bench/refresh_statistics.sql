-- The planner's statistics, which a fresh load has not got yet.
ANALYZE;
