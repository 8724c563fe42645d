-- Two senders at once could each find a resource missing, and both make it.
SELECT pg_try_advisory_lock(hashtextextended('affect fhir ' || :server, 0));
