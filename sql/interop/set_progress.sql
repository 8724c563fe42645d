-- Never back: an old night that is run again leaves what was reached.
UPDATE affect.fhir_progress SET through_night = greatest(through_night, :through_night)
WHERE server = :server;
