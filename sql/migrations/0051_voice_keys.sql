-- The keys of encrypted voices, each wrapped by the master key of the installation. No backup of the warehouse holds
-- them: they are backed up in a file of their own, from which an erased patient's key is taken, too.
CREATE TABLE affect.voice_keys (
    patient_key text COLLATE "C" NOT NULL,
    key_id bytea NOT NULL,
    wrapped bytea NOT NULL,
    CONSTRAINT voice_keys_pkey PRIMARY KEY (patient_key),
    CONSTRAINT voice_keys_key_id_key UNIQUE (key_id)
);

COMMENT ON TABLE affect.voice_keys IS
'[clock] Key of each patient''s encrypted audio; erasing the row erases the voice. Left out of backups.';
COMMENT ON COLUMN affect.voice_keys.patient_key IS 'Patient.';
COMMENT ON COLUMN affect.voice_keys.key_id IS 'What encrypted files call the key: 16 random bytes.';
COMMENT ON COLUMN affect.voice_keys.wrapped IS 'The key, sealed under the master key by AES-256-GCM, after its nonce.';
