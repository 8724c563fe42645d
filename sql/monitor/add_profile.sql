-- Keep a cohort profile.
INSERT INTO affect.cohort_profiles (model_digest, as_of_night, n_patients, profile)
VALUES (:model_digest, :as_of_night, :n_patients, :profile)
ON CONFLICT (model_digest, as_of_night) DO UPDATE SET
    n_patients = excluded.n_patients,
    profile = excluded.profile;
