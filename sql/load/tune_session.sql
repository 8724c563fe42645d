-- For the rest of the transaction: one sort of a whole load, in memory.
SET LOCAL work_mem = '256MB';
