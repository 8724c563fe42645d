SELECT p.through_night FROM affect.fhir_progress AS p
WHERE p.server = :server;
