-- One run at a time derives a model version's charts, until its transaction ends: what one reads, another may not be
-- about to replace.
SELECT pg_advisory_xact_lock(hashtextextended('affect.monitor ' || :model_digest, 0));
