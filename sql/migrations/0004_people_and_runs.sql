-- What people did, who may see whom, and what the runs were. A comment that starts with [clock] keeps a table or column
-- out of `affect warehouse hash`: it depends on when or by whom something was done, not on what arrived.
CREATE TABLE affect.people (
    login text NOT NULL,
    display_name text NOT NULL,
    role text NOT NULL,
    clinics text[] NOT NULL DEFAULT '{}',
    sees text NOT NULL DEFAULT 'clinic',
    active boolean NOT NULL DEFAULT true,
    CONSTRAINT people_pkey PRIMARY KEY (login),
    CONSTRAINT people_login_plain CHECK (login ~ '^[A-Za-z0-9][A-Za-z0-9._@+-]{0,127}$'),
    CONSTRAINT people_role_known CHECK (role IN ('counselor', 'analyst', 'admin')),
    CONSTRAINT people_sees_known CHECK (sees IN ('clinic', 'assigned'))
);

COMMENT ON TABLE affect.people IS '[clock] People who may look into the warehouse, and how far.';
COMMENT ON COLUMN affect.people.login IS 'Name the person logs in with.';
COMMENT ON COLUMN affect.people.display_name IS 'Name shown to colleagues.';
COMMENT ON COLUMN affect.people.role IS 'counselor, analyst or admin: the database role of the person''s sessions.';
COMMENT ON COLUMN affect.people.clinics IS 'Clinics the person works for.';
COMMENT ON COLUMN affect.people.sees IS
'clinic: all patients of the clinics and those assigned; assigned: only patients assigned to the person.';
COMMENT ON COLUMN affect.people.active IS 'False ends all access at once.';

CREATE TABLE affect.care_assignments (
    login text NOT NULL,
    patient_key text COLLATE "C" NOT NULL,
    assigned_by text NOT NULL,
    assigned_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT care_assignments_pkey PRIMARY KEY (login, patient_key),
    CONSTRAINT care_assignments_person_exists FOREIGN KEY (login)
    REFERENCES affect.people (login) ON DELETE CASCADE
);

CREATE INDEX care_assignments_patient ON affect.care_assignments (patient_key);

COMMENT ON TABLE affect.care_assignments IS '[clock] Which patient is looked after by whom.';
COMMENT ON COLUMN affect.care_assignments.login IS 'Person.';
COMMENT ON COLUMN affect.care_assignments.patient_key IS 'Patient.';
COMMENT ON COLUMN affect.care_assignments.assigned_by IS 'Who decided so.';
COMMENT ON COLUMN affect.care_assignments.assigned_at IS 'When.';

CREATE TABLE affect.alert_actions (
    action_id bigint GENERATED ALWAYS AS IDENTITY,
    alert_id text COLLATE "C" NOT NULL,
    actor text NOT NULL,
    kind text NOT NULL,
    comment text,
    at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT alert_actions_pkey PRIMARY KEY (action_id),
    CONSTRAINT alert_actions_kind_known CHECK (kind IN ('acknowledged', 'commented', 'resolved', 'assigned')),
    CONSTRAINT alert_actions_comment_short CHECK (length(comment) <= 4000)
);

CREATE INDEX alert_actions_alert ON affect.alert_actions (alert_id, action_id);

COMMENT ON TABLE affect.alert_actions IS
'[clock] What people did with alerts; append-only. No foreign key: a comment outlives a recomputed alert.';
COMMENT ON COLUMN affect.alert_actions.action_id IS 'Number of the action.';
COMMENT ON COLUMN affect.alert_actions.alert_id IS 'Alert.';
COMMENT ON COLUMN affect.alert_actions.actor IS 'Login of the person; row-level security holds it to the session''s.';
COMMENT ON COLUMN affect.alert_actions.kind IS 'acknowledged, commented, resolved or assigned.';
COMMENT ON COLUMN affect.alert_actions.comment IS 'Free text of the person; for assigned, the login it went to.';
COMMENT ON COLUMN affect.alert_actions.at IS 'When.';

CREATE TABLE affect.quarantine_releases (
    journal_id text COLLATE "C" NOT NULL,
    actor text NOT NULL,
    reason text NOT NULL,
    at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT quarantine_releases_pkey PRIMARY KEY (journal_id)
);

COMMENT ON TABLE affect.quarantine_releases IS
'Recordings that a person let out of quarantine; the next run of their night scores them.';
COMMENT ON COLUMN affect.quarantine_releases.journal_id IS 'Recording.';
COMMENT ON COLUMN affect.quarantine_releases.actor IS '[clock] Who released it.';
COMMENT ON COLUMN affect.quarantine_releases.reason IS '[clock] Why.';
COMMENT ON COLUMN affect.quarantine_releases.at IS '[clock] When.';

CREATE TABLE affect.runs (
    run_id text NOT NULL,
    dag_id text NOT NULL,
    first_night date,
    last_night date,
    outcome text NOT NULL,
    counts jsonb,
    model_digest text COLLATE "C",
    suite_version text,
    settings_digest text,
    code_version text,
    started_at timestamptz,
    finished_at timestamptz,
    CONSTRAINT runs_pkey PRIMARY KEY (run_id)
);

CREATE INDEX runs_started ON affect.runs (started_at DESC);

COMMENT ON TABLE affect.runs IS '[clock] One row a run of a DAG: what it covered, with what, and how it ended.';
COMMENT ON COLUMN affect.runs.run_id IS 'Run id of Airflow.';
COMMENT ON COLUMN affect.runs.dag_id IS 'DAG.';
COMMENT ON COLUMN affect.runs.first_night IS 'First night it covered.';
COMMENT ON COLUMN affect.runs.last_night IS 'Last night it covered.';
COMMENT ON COLUMN affect.runs.outcome IS 'How it ended, for instance succeeded or failed.';
COMMENT ON COLUMN affect.runs.counts IS 'Counts of every stage.';
COMMENT ON COLUMN affect.runs.model_digest IS 'Model version that scored.';
COMMENT ON COLUMN affect.runs.suite_version IS 'Version of the quality contract.';
COMMENT ON COLUMN affect.runs.settings_digest IS 'Digest of the settings that shape results.';
COMMENT ON COLUMN affect.runs.code_version IS 'Version of affect-pipeline.';
COMMENT ON COLUMN affect.runs.started_at IS 'When it began.';
COMMENT ON COLUMN affect.runs.finished_at IS 'When it ended.';

CREATE TABLE affect.nights (
    night date NOT NULL,
    n_found integer NOT NULL,
    n_journals integer NOT NULL,
    n_duplicates integer NOT NULL,
    n_pending integer NOT NULL,
    n_accepted integer NOT NULL,
    n_warned integer NOT NULL,
    n_quarantined integer NOT NULL,
    n_scored integer NOT NULL,
    n_patients integer NOT NULL,
    n_alerts_opened integer NOT NULL,
    CONSTRAINT nights_pkey PRIMARY KEY (night)
);

COMMENT ON TABLE affect.nights IS 'One row a night, derived from the other tables by sql/derive/nights.sql.';
COMMENT ON COLUMN affect.nights.night IS 'Night (date of arrival).';
COMMENT ON COLUMN affect.nights.n_found IS 'Deliveries that arrived.';
COMMENT ON COLUMN affect.nights.n_journals IS 'Recordings whose counting delivery arrived that night.';
COMMENT ON COLUMN affect.nights.n_duplicates IS
'Deliveries that do not count because the recording arrived in another one.';
COMMENT ON COLUMN affect.nights.n_pending IS 'Recordings not judged yet.';
COMMENT ON COLUMN affect.nights.n_accepted IS 'Recordings accepted without a warning.';
COMMENT ON COLUMN affect.nights.n_warned IS 'Recordings accepted with a warning.';
COMMENT ON COLUMN affect.nights.n_quarantined IS 'Recordings in quarantine.';
COMMENT ON COLUMN affect.nights.n_scored IS 'Recordings with at least one score.';
COMMENT ON COLUMN affect.nights.n_patients IS 'Patients with a recording that night.';
COMMENT ON COLUMN affect.nights.n_alerts_opened IS 'Alerts raised that night.';
