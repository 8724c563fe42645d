-- What was taken away is sent again: progress goes back to the night before.
UPDATE affect.fhir_progress SET through_night = least(through_night, :before)
WHERE server = :server;
