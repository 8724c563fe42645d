-- Pays for a release; the warehouse refuses the row if the budget does not cover it.
INSERT INTO affect.privacy_releases (
    actor, rho, epsilon, delta, model_digest, first_week, n_weeks, weeks_per_patient, least_patients, channels, clinics
)
VALUES (
    :actor,
    cast(:rho AS numeric),
    :epsilon,
    :delta,
    :model_digest,
    :first_week,
    :n_weeks,
    :weeks_per_patient,
    :least_patients,
    :channels,
    :clinics
)
RETURNING release_id;
