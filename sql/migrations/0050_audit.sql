-- Who did what, whom they saw: only ever added to, each row bound to the one before by a hash.
CREATE TABLE affect.audit_events (
    seq bigint NOT NULL,
    at timestamptz NOT NULL,
    actor text NOT NULL,
    action text NOT NULL,
    subject uuid,
    detail jsonb NOT NULL DEFAULT '{}',
    previous text NOT NULL,
    hash text NOT NULL,
    CONSTRAINT audit_events_pkey PRIMARY KEY (seq),
    CONSTRAINT audit_events_action_plain CHECK (action ~ '^[a-z_]{1,40}$'),
    CONSTRAINT audit_events_hash_is_sha256 CHECK (hash ~ '^[0-9a-f]{64}$')
);

CREATE INDEX audit_events_subject ON affect.audit_events (subject, actor, at);

COMMENT ON TABLE affect.audit_events IS
'[clock] Who saw which patient and did what. Rows are added by functions of the warehouse only, and never changed.';
COMMENT ON COLUMN affect.audit_events.seq IS 'Number of the event; there are no gaps.';
COMMENT ON COLUMN affect.audit_events.at IS 'When.';
COMMENT ON COLUMN affect.audit_events.actor IS 'Login of the person, or the system user of a command.';
COMMENT ON COLUMN affect.audit_events.action IS 'What was done, for instance patient_viewed or model_promoted.';
COMMENT ON COLUMN affect.audit_events.subject IS
'Stands for a patient. The pseudonym it belongs to is kept apart and goes when the patient is erased.';
COMMENT ON COLUMN affect.audit_events.detail IS 'Further facts; no free text and nothing that identifies a patient.';
COMMENT ON COLUMN affect.audit_events.previous IS 'Hash of the event before; 64 zeros for the first.';
COMMENT ON COLUMN affect.audit_events.hash IS
'SHA-256 over the hash of the event before and all that this one says, hex.';

CREATE TABLE affect_private.audit_subjects (
    patient_key text COLLATE "C" NOT NULL,
    subject uuid NOT NULL DEFAULT gen_random_uuid(),
    CONSTRAINT audit_subjects_pkey PRIMARY KEY (patient_key),
    CONSTRAINT audit_subjects_subject_key UNIQUE (subject)
);

COMMENT ON TABLE affect_private.audit_subjects IS 'Which patient an audit event is about; erased with the patient.';
COMMENT ON COLUMN affect_private.audit_subjects.patient_key IS 'Pseudonym.';
COMMENT ON COLUMN affect_private.audit_subjects.subject IS 'What audit events say instead: random.';
