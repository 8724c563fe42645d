INSERT INTO affect.erasures (patient_digest, through_night)
VALUES (:patient_digest, :through_night)
ON CONFLICT (patient_digest) DO UPDATE SET through_night = greatest(erasures.through_night, excluded.through_night);
