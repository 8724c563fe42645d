-- One run at a time derives charts, until its transaction ends: what one reads, another may not be about to replace.
SELECT pg_advisory_xact_lock(107075202213506);
