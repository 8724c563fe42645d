-- Who was erased, as digests: so that what still lies in a landing zone or an old backup does not bring them back.
CREATE TABLE affect.erasures (
    patient_digest text COLLATE "C" NOT NULL,
    through_night date NOT NULL,
    CONSTRAINT erasures_pkey PRIMARY KEY (patient_digest),
    CONSTRAINT erasures_digest_is_sha256 CHECK (patient_digest ~ '^[0-9a-f]{64}$')
);

COMMENT ON TABLE affect.erasures IS
'[clock] Patients who were erased; deliveries of nights up to that day are not taken in again.';
COMMENT ON COLUMN affect.erasures.patient_digest IS 'SHA-256 of "erased:" and the pseudonym, hex.';
COMMENT ON COLUMN affect.erasures.through_night IS 'Last night whose deliveries are passed over.';
