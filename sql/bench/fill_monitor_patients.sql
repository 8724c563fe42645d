-- Made-up patients, by the number that their key is made from.
INSERT INTO affect.patients (patient_key, first_night)
SELECT
    md5(n::text) AS patient_key,
    cast(:night AS date) AS first_night
FROM generate_series(1, :n_patients) AS n;
