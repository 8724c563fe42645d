-- Who recorded what, and how it arrived. Identity comes from content: a journal is the SHA-256 of its audio.
--
-- Keys are compared byte by byte (COLLATE "C"): the same order everywhere, twice as fast, and a prefix finds its index.
CREATE SCHEMA IF NOT EXISTS affect;

COMMENT ON SCHEMA affect IS 'Warehouse of affect-pipeline: pseudonymised voice journals, scores, baselines and alerts.';

CREATE TABLE affect.patients (
    patient_key text COLLATE "C" NOT NULL,
    clinic text,
    time_zone text,
    language text,
    sex text,
    age_band text,
    profile_at timestamptz,
    profile_delivery text COLLATE "C",
    first_night date NOT NULL,
    consent_withdrawn_night date,
    CONSTRAINT patients_pkey PRIMARY KEY (patient_key),
    CONSTRAINT patients_key_is_pseudonym CHECK (patient_key ~ '^[0-9a-f]{32}$'),
    CONSTRAINT patients_sex_known CHECK (sex IN ('f', 'm', 'x'))
);

CREATE INDEX patients_clinic ON affect.patients (clinic);

COMMENT ON TABLE affect.patients IS
'One row a patient. The profile comes from the delivery with the greatest (profile_at, profile_delivery).';
COMMENT ON COLUMN affect.patients.patient_key IS
'Pseudonym: first 32 hex characters of HMAC-SHA256 of the source identifier under the secret of the installation.';
COMMENT ON COLUMN affect.patients.clinic IS 'Clinic that looks after the patient, as the newest sidecar says.';
COMMENT ON COLUMN affect.patients.time_zone IS 'IANA time zone of the newest recording; dashboards show times in it.';
COMMENT ON COLUMN affect.patients.language IS 'Language the patient speaks, BCP 47.';
COMMENT ON COLUMN affect.patients.sex IS 'f, m or x, where the clinic tells us; used for the fairness views only.';
COMMENT ON COLUMN affect.patients.age_band IS 'Ten-year age band such as 30-39, where the clinic tells us.';
COMMENT ON COLUMN affect.patients.profile_at IS 'When the recording was made that the profile was taken from.';
COMMENT ON COLUMN affect.patients.profile_delivery IS
'delivery_key the profile was taken from; breaks ties of profile_at.';
COMMENT ON COLUMN affect.patients.first_night IS 'First night on which anything arrived from the patient.';
COMMENT ON COLUMN affect.patients.consent_withdrawn_night IS
'First night on which a sidecar said that consent was withdrawn; empty while consent stands.';

CREATE TABLE affect.journals (
    journal_id text COLLATE "C" NOT NULL,
    patient_key text COLLATE "C" NOT NULL,
    night date NOT NULL,
    delivery_key text COLLATE "C" NOT NULL,
    recorded_at timestamptz,
    local_day date NOT NULL,
    time_zone text,
    device text,
    prompt text,
    language text,
    clinic text,
    n_bytes bigint,
    audio_format text,
    problem text,
    status text NOT NULL DEFAULT 'pending',
    failed text[] NOT NULL DEFAULT '{}',
    warned text[] NOT NULL DEFAULT '{}',
    CONSTRAINT journals_pkey PRIMARY KEY (journal_id),
    CONSTRAINT journals_id_is_sha256 CHECK (journal_id ~ '^[0-9a-f]{64}$'),
    CONSTRAINT journals_status_known CHECK (status IN ('pending', 'accepted', 'warned', 'quarantined')),
    CONSTRAINT journals_bytes_not_negative CHECK (n_bytes >= 0)
);

CREATE INDEX journals_night ON affect.journals (night);
CREATE INDEX journals_patient_day ON affect.journals (patient_key, local_day);
CREATE INDEX journals_quarantined ON affect.journals (night) WHERE status = 'quarantined';

COMMENT ON TABLE affect.journals IS
'One row a recording. What arrived several times keeps the delivery with the least (night, delivery_key).';
COMMENT ON COLUMN affect.journals.journal_id IS
'SHA-256 of the audio bytes, 64 hex characters; of the delivery key where the bytes could not be taken in.';
COMMENT ON COLUMN affect.journals.patient_key IS 'Patient who recorded it.';
COMMENT ON COLUMN affect.journals.night IS 'Nightly run it arrived in (date of arrival).';
COMMENT ON COLUMN affect.journals.delivery_key IS 'Delivery that counts, pseudonymised.';
COMMENT ON COLUMN affect.journals.recorded_at IS 'When it was recorded; empty when the sidecar does not say.';
COMMENT ON COLUMN affect.journals.local_day IS
'Calendar day of the recording where the patient was; the night where recorded_at is not known.';
COMMENT ON COLUMN affect.journals.time_zone IS 'IANA time zone of the recording.';
COMMENT ON COLUMN affect.journals.device IS 'Device that recorded it, as the sidecar says.';
COMMENT ON COLUMN affect.journals.prompt IS 'What the patient was asked to talk about.';
COMMENT ON COLUMN affect.journals.language IS 'Language of the recording, BCP 47.';
COMMENT ON COLUMN affect.journals.clinic IS 'Clinic named by the sidecar.';
COMMENT ON COLUMN affect.journals.n_bytes IS 'Size of the audio file in bytes.';
COMMENT ON COLUMN affect.journals.audio_format IS 'Format found in the content, whatever the file was called.';
COMMENT ON COLUMN affect.journals.problem IS
'Why the recording or its sidecar could not be used, in snake case; empty if fine.';
COMMENT ON COLUMN affect.journals.status IS
'pending (not judged yet), accepted, warned (scored, with warnings) or quarantined (not scored).';
COMMENT ON COLUMN affect.journals.failed IS 'Expectations and problems that put it in quarantine.';
COMMENT ON COLUMN affect.journals.warned IS 'Expectations that only warn.';

CREATE TABLE affect.deliveries (
    delivery_key text COLLATE "C" NOT NULL,
    night date NOT NULL,
    journal_id text COLLATE "C" NOT NULL,
    patient_key text COLLATE "C" NOT NULL,
    problem text,
    CONSTRAINT deliveries_pkey PRIMARY KEY (delivery_key)
);

CREATE INDEX deliveries_journal ON affect.deliveries (journal_id);
CREATE INDEX deliveries_night ON affect.deliveries (night);
CREATE INDEX deliveries_patient ON affect.deliveries (patient_key);

COMMENT ON TABLE affect.deliveries IS 'One row a file that arrived; several deliveries may hold the same recording.';
COMMENT ON COLUMN affect.deliveries.delivery_key IS
'First 32 hex characters of HMAC-SHA256 of the path in the landing zone; the path itself is never stored.';
COMMENT ON COLUMN affect.deliveries.night IS 'Nightly run it arrived in.';
COMMENT ON COLUMN affect.deliveries.journal_id IS 'Recording it holds.';
COMMENT ON COLUMN affect.deliveries.patient_key IS 'Patient it came from.';
COMMENT ON COLUMN affect.deliveries.problem IS 'Why this delivery could not be used, in snake case; empty if fine.';
