SELECT
    v.patient_key,
    encode(v.key_id, 'hex') AS key_id,
    encode(v.wrapped, 'hex') AS wrapped
FROM affect.voice_keys AS v
ORDER BY v.patient_key;
