-- What autovacuum would have done by now, and the planner's statistics.
VACUUM (ANALYZE);
