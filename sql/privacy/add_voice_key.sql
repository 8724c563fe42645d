-- Keep a patient's key, unless another process was first.
INSERT INTO affect.voice_keys (patient_key, key_id, wrapped)
VALUES (:patient_key, :key_id, :wrapped)
ON CONFLICT (patient_key) DO NOTHING;
