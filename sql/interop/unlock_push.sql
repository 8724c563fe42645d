SELECT pg_advisory_unlock(hashtextextended('affect fhir ' || :server, 0));
