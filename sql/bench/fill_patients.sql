-- A made-up cohort of any size. Every value is a function of the patient's number and the seed.
INSERT INTO affect.patients (
    patient_key, clinic, time_zone, language, sex, age_band, profile_at, profile_delivery, first_night
)
SELECT
    left(encode(sha256(convert_to('patient ' || n, 'UTF8')), 'hex'), 32),
    (ARRAY['north', 'south', 'harbour'])[1 + n % 3],
    (ARRAY['Europe/Berlin', 'Europe/London', 'America/New_York'])[1 + n % 3],
    (ARRAY['de', 'en', 'en'])[1 + n % 3],
    (ARRAY['f', 'm'])[1 + n % 2],
    (ARRAY['20-29', '30-39', '40-49', '50-59'])[1 + n % 4],
    cast(cast(:last_day AS date) AS timestamp) AT TIME ZONE 'UTC',
    left(encode(sha256(convert_to('profile ' || n, 'UTF8')), 'hex'), 32),
    cast(:last_day AS date) - cast(:n_days AS integer) + 2
FROM generate_series(1, cast(:n_patients AS integer)) AS n;
