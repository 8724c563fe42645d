-- What FHIR servers were sent: so that a night after a failure catches up, and an erasure knows what lies elsewhere.
CREATE TABLE affect.fhir_deliveries (
    server text NOT NULL,
    kind text NOT NULL,
    name text COLLATE "C" NOT NULL,
    patient_key text COLLATE "C" NOT NULL,
    sent_as text COLLATE "C" NOT NULL,
    night date NOT NULL,
    digest text NOT NULL,
    sent_at timestamptz NOT NULL,
    CONSTRAINT fhir_deliveries_pkey PRIMARY KEY (server, kind, name),
    CONSTRAINT fhir_deliveries_kind_known CHECK (kind IN ('journal', 'alert', 'questionnaire'))
);

CREATE INDEX fhir_deliveries_patient ON affect.fhir_deliveries (patient_key);
CREATE INDEX fhir_deliveries_night ON affect.fhir_deliveries (server, night);

COMMENT ON TABLE affect.fhir_deliveries IS
'[clock] What FHIR servers hold: a row a journal, alert or questionnaire that was sent.';
COMMENT ON COLUMN affect.fhir_deliveries.server IS 'Address of the server, without credentials.';
COMMENT ON COLUMN affect.fhir_deliveries.kind IS 'journal, alert or questionnaire.';
COMMENT ON COLUMN affect.fhir_deliveries.name IS 'Value of the identifier under which the server finds it.';
COMMENT ON COLUMN affect.fhir_deliveries.patient_key IS 'Patient.';
COMMENT ON COLUMN affect.fhir_deliveries.sent_as IS
'Pseudonym of the patient when it was sent; the server knows this one after a rotation.';
COMMENT ON COLUMN affect.fhir_deliveries.night IS 'Night it arrived on, or was raised on.';
COMMENT ON COLUMN affect.fhir_deliveries.digest IS 'SHA-256 of what was sent; the same is not sent twice.';
COMMENT ON COLUMN affect.fhir_deliveries.sent_at IS 'When the server took it.';

CREATE TABLE affect.fhir_progress (
    server text NOT NULL,
    through_night date NOT NULL,
    CONSTRAINT fhir_progress_pkey PRIMARY KEY (server)
);

COMMENT ON TABLE affect.fhir_progress IS
'[clock] How far each FHIR server has got: after a failure the next night goes on from there.';
COMMENT ON COLUMN affect.fhir_progress.server IS 'Address of the server, without credentials.';
COMMENT ON COLUMN affect.fhir_progress.through_night IS 'All nights up to this one were sent.';
