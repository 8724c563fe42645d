SELECT
    r.release_id,
    r.rho::double precision AS rho,
    r.epsilon,
    r.delta,
    r.model_digest,
    r.first_week,
    r.n_weeks,
    r.weeks_per_patient,
    r.least_patients,
    r.channels,
    r.clinics
FROM affect.privacy_releases AS r
WHERE r.release_id = :release_id;
