-- Baselines of patients who have no day value before the change.
INSERT INTO affect.baselines (
    patient_key, model_digest, channel, segment, state, reason, ready_on, n_days, as_of_night
)
SELECT
    patients.patient_key,
    :model_digest,
    :channel,
    1,
    'too_little_data',
    'fewer than 14 day values',
    cast(:last_day AS date) + 8,
    0,
    cast(:last_day AS date) + 1
FROM affect.patients
ON CONFLICT DO NOTHING;
