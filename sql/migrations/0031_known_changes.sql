-- What care teams know from elsewhere: without it nobody can say which changes the machine missed.
CREATE TABLE affect.known_changes (
    patient_key text COLLATE "C" NOT NULL,
    onset_day date NOT NULL,
    source text NOT NULL,
    actor text NOT NULL,
    noted_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT known_changes_pkey PRIMARY KEY (patient_key, onset_day)
);

COMMENT ON TABLE affect.known_changes IS
'[clock] Changes for the worse that people know of from elsewhere: relapses, admissions, questionnaires. Alerts are '
'held against them (alert_rates_by_group); the machine never reads them.';
COMMENT ON COLUMN affect.known_changes.patient_key IS 'Patient.';
COMMENT ON COLUMN affect.known_changes.onset_day IS 'First day of the change.';
COMMENT ON COLUMN affect.known_changes.source IS 'How it is known, for instance admission or questionnaire.';
COMMENT ON COLUMN affect.known_changes.actor IS 'Who noted it.';
COMMENT ON COLUMN affect.known_changes.noted_at IS 'When it was noted.';
