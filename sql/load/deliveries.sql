-- A delivery is read again whenever its night is run again; the last reading counts.
INSERT INTO affect.deliveries AS t (delivery_key, night, journal_id, patient_key, problem)
SELECT
    s.delivery_key,
    s.night,
    s.journal_id,
    s.patient_key,
    s.problem
FROM pg_temp.staging_deliveries AS s
ORDER BY s.delivery_key
ON CONFLICT (delivery_key) DO UPDATE SET
    night = excluded.night,
    journal_id = excluded.journal_id,
    patient_key = excluded.patient_key,
    problem = excluded.problem
-- Writing a row that is there already would cost as much as a change.
WHERE
(
    t.night, t.journal_id, t.patient_key, t.problem
) IS DISTINCT FROM (
    excluded.night, excluded.journal_id, excluded.patient_key, excluded.problem
);
