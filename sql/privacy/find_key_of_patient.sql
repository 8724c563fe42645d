SELECT
    v.key_id,
    v.wrapped
FROM affect.voice_keys AS v
WHERE v.patient_key = :patient_key;
