SELECT v.wrapped
FROM affect.voice_keys AS v
WHERE v.key_id = :key_id;
