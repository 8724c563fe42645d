-- The first run owes a server its own nights, not those before.
INSERT INTO affect.fhir_progress (server, through_night)
VALUES (:server, :through_night)
ON CONFLICT (server) DO NOTHING;
