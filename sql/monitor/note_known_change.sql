-- Note a change that is known from elsewhere; noting it again changes nothing.
INSERT INTO affect.known_changes (patient_key, onset_day, source, actor)
VALUES (:patient_key, :onset_day, :source, :actor)
ON CONFLICT (patient_key, onset_day) DO NOTHING;
