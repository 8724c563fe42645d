-- Day values, personal baselines, charts and alerts. Everything here is a function of the tables before it.
CREATE TABLE affect.day_values (
    patient_key text COLLATE "C" NOT NULL,
    model_digest text COLLATE "C" NOT NULL,
    channel text COLLATE "C" NOT NULL,
    local_day date NOT NULL,
    value double precision,
    se double precision,
    n_journals integer NOT NULL,
    CONSTRAINT day_values_pkey PRIMARY KEY (patient_key, model_digest, channel, local_day)
);

CREATE INDEX day_values_by_day ON affect.day_values USING brin (local_day);

COMMENT ON TABLE affect.day_values IS
'One value a patient, channel and local day: the recordings of the day weighted by their uncertainty.';
COMMENT ON COLUMN affect.day_values.patient_key IS 'Patient.';
COMMENT ON COLUMN affect.day_values.model_digest IS 'Model version the scores came from.';
COMMENT ON COLUMN affect.day_values.channel IS
'depression (logit), valence, arousal, pitch_variability (semitones), speech_rate (syllables a second), '
'pause_rate (a minute), energy_variability (dB) or adherence.';
COMMENT ON COLUMN affect.day_values.local_day IS 'Calendar day where the patient was.';
COMMENT ON COLUMN affect.day_values.value IS 'Value of the day, in the unit of its channel.';
COMMENT ON COLUMN affect.day_values.se IS 'Standard error of the value.';
COMMENT ON COLUMN affect.day_values.n_journals IS 'Recordings it was made from.';

CREATE TABLE affect.baselines (
    patient_key text COLLATE "C" NOT NULL,
    model_digest text COLLATE "C" NOT NULL,
    channel text COLLATE "C" NOT NULL,
    segment integer NOT NULL,
    state text NOT NULL,
    reason text,
    ready_on date,
    first_day date,
    last_day date,
    n_days integer NOT NULL,
    mean double precision,
    sd double precision,
    autocorrelation double precision,
    weekday_effects double precision[],
    as_of_night date NOT NULL,
    CONSTRAINT baselines_pkey PRIMARY KEY (patient_key, model_digest, channel)
);

COMMENT ON TABLE affect.baselines IS 'The current personal baseline of each patient and channel.';
COMMENT ON COLUMN affect.baselines.patient_key IS 'Patient.';
COMMENT ON COLUMN affect.baselines.model_digest IS 'Model version; baselines never mix model versions.';
COMMENT ON COLUMN affect.baselines.channel IS 'Channel, as in day_values.';
COMMENT ON COLUMN affect.baselines.segment IS
'Counts the baselines of this patient: a new device or a long gap starts a new one.';
COMMENT ON COLUMN affect.baselines.state IS 'State of the baseline, for instance ready or too_little_data.';
COMMENT ON COLUMN affect.baselines.reason IS 'Why it is in that state, in words.';
COMMENT ON COLUMN affect.baselines.ready_on IS 'Day on which it became, or at this pace will become, ready.';
COMMENT ON COLUMN affect.baselines.first_day IS 'First day that counts.';
COMMENT ON COLUMN affect.baselines.last_day IS 'Last day that counts.';
COMMENT ON COLUMN affect.baselines.n_days IS 'Day values it was made from.';
COMMENT ON COLUMN affect.baselines.mean IS 'Mean, shrunk towards the cohort.';
COMMENT ON COLUMN affect.baselines.sd IS 'Spread within the patient, shrunk towards the cohort.';
COMMENT ON COLUMN affect.baselines.autocorrelation IS 'Autocorrelation of consecutive days.';
COMMENT ON COLUMN affect.baselines.weekday_effects IS 'Departure of Monday to Sunday from the mean, seven values.';
COMMENT ON COLUMN affect.baselines.as_of_night IS 'Night whose knowledge it holds.';

CREATE TABLE affect.chart_days (
    patient_key text COLLATE "C" NOT NULL,
    model_digest text COLLATE "C" NOT NULL,
    channel text COLLATE "C" NOT NULL,
    local_day date NOT NULL,
    expected double precision,
    band_low double precision,
    band_high double precision,
    statistic double precision,
    limit_value double precision,
    signal boolean NOT NULL,
    CONSTRAINT chart_days_pkey PRIMARY KEY (patient_key, model_digest, channel, local_day)
);

CREATE INDEX chart_days_by_day ON affect.chart_days USING brin (local_day);

COMMENT ON TABLE affect.chart_days IS 'What the chart of a patient and channel said on each day.';
COMMENT ON COLUMN affect.chart_days.patient_key IS 'Patient.';
COMMENT ON COLUMN affect.chart_days.model_digest IS 'Model version.';
COMMENT ON COLUMN affect.chart_days.channel IS 'Channel as in day_values, or combined.';
COMMENT ON COLUMN affect.chart_days.local_day IS 'Calendar day where the patient was.';
COMMENT ON COLUMN affect.chart_days.expected IS 'Value that the baseline expects on that day.';
COMMENT ON COLUMN affect.chart_days.band_low IS 'Lower edge of the band that ordinary days fall in.';
COMMENT ON COLUMN affect.chart_days.band_high IS 'Upper edge of that band.';
COMMENT ON COLUMN affect.chart_days.statistic IS 'Statistic of the chart.';
COMMENT ON COLUMN affect.chart_days.limit_value IS 'Limit it is compared with.';
COMMENT ON COLUMN affect.chart_days.signal IS 'Whether the statistic is past its limit.';

CREATE TABLE affect.chart_state (
    patient_key text COLLATE "C" NOT NULL,
    model_digest text COLLATE "C" NOT NULL,
    through_day date NOT NULL,
    version integer NOT NULL,
    state bytea NOT NULL,
    CONSTRAINT chart_state_pkey PRIMARY KEY (patient_key, model_digest)
);

COMMENT ON TABLE affect.chart_state IS
'What the next night needs to go on from, so that a night reads state and not history.';
COMMENT ON COLUMN affect.chart_state.patient_key IS 'Patient.';
COMMENT ON COLUMN affect.chart_state.model_digest IS 'Model version.';
COMMENT ON COLUMN affect.chart_state.through_day IS 'Last day the state has seen.';
COMMENT ON COLUMN affect.chart_state.version IS 'Version of the packing of state.';
COMMENT ON COLUMN affect.chart_state.state IS 'Packed numbers of the charts.';

CREATE TABLE affect.drift_alerts (
    alert_id text COLLATE "C" NOT NULL,
    patient_key text COLLATE "C" NOT NULL,
    model_digest text COLLATE "C" NOT NULL,
    kind text NOT NULL,
    direction text NOT NULL,
    severity text NOT NULL,
    state text NOT NULL,
    opened_night date NOT NULL,
    opened_day date,
    onset_day date,
    onset_low date,
    onset_high date,
    last_night date,
    resolved_night date,
    score double precision,
    channels jsonb,
    explanation text,
    evidence jsonb,
    CONSTRAINT drift_alerts_pkey PRIMARY KEY (alert_id),
    CONSTRAINT drift_alerts_state_known CHECK (state IN ('open', 'resolved')),
    CONSTRAINT drift_alerts_onset_ordered CHECK (onset_low <= onset_day AND onset_day <= onset_high)
);

CREATE INDEX drift_alerts_patient ON affect.drift_alerts (patient_key);
CREATE INDEX drift_alerts_night ON affect.drift_alerts (opened_night);
CREATE INDEX drift_alerts_open ON affect.drift_alerts (score DESC) WHERE state = 'open';

COMMENT ON TABLE affect.drift_alerts IS 'Lasting departures from a personal baseline, as the machine sees them now.';
COMMENT ON COLUMN affect.drift_alerts.alert_id IS
'Identity from content: SHA-256 of patient, model, opening night and kind, 32 hex characters.';
COMMENT ON COLUMN affect.drift_alerts.patient_key IS 'Patient.';
COMMENT ON COLUMN affect.drift_alerts.model_digest IS 'Model version of the charts.';
COMMENT ON COLUMN affect.drift_alerts.kind IS 'Chart family that raised it, for instance drift or adherence.';
COMMENT ON COLUMN affect.drift_alerts.direction IS 'worsening, improving, adherence_lost or quality_lost.';
COMMENT ON COLUMN affect.drift_alerts.severity IS 'How far past the limit, in words.';
COMMENT ON COLUMN affect.drift_alerts.state IS 'open or resolved by the machine; people act in alert_actions.';
COMMENT ON COLUMN affect.drift_alerts.opened_night IS 'Night on which it was raised.';
COMMENT ON COLUMN affect.drift_alerts.opened_day IS 'Local day whose value raised it.';
COMMENT ON COLUMN affect.drift_alerts.onset_day IS 'First day of the change, best guess.';
COMMENT ON COLUMN affect.drift_alerts.onset_low IS 'Earliest plausible first day.';
COMMENT ON COLUMN affect.drift_alerts.onset_high IS 'Latest plausible first day.';
COMMENT ON COLUMN affect.drift_alerts.last_night IS 'Last night that changed it.';
COMMENT ON COLUMN affect.drift_alerts.resolved_night IS 'Night on which the machine resolved it.';
COMMENT ON COLUMN affect.drift_alerts.score IS 'Rank: the higher, the sooner someone should look.';
COMMENT ON COLUMN affect.drift_alerts.channels IS 'Channels that moved, each in SDs of this patient.';
COMMENT ON COLUMN affect.drift_alerts.explanation IS 'Why, in words and numbers.';
COMMENT ON COLUMN affect.drift_alerts.evidence IS 'What a replay needs: statistics, limits, baseline, settings.';

CREATE TABLE affect.alert_events (
    alert_id text COLLATE "C" NOT NULL,
    seq integer NOT NULL,
    night date NOT NULL,
    kind text NOT NULL,
    severity text NOT NULL,
    score double precision,
    explanation text,
    CONSTRAINT alert_events_pkey PRIMARY KEY (alert_id, seq),
    CONSTRAINT alert_events_alert_exists FOREIGN KEY (alert_id)
    REFERENCES affect.drift_alerts (alert_id) ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED,
    CONSTRAINT alert_events_kind_known CHECK (kind IN ('opened', 'updated', 'resolved'))
);

CREATE INDEX alert_events_night ON affect.alert_events (night);

COMMENT ON TABLE affect.alert_events IS 'What the machine did with each alert, night by night.';
COMMENT ON COLUMN affect.alert_events.alert_id IS 'Alert.';
COMMENT ON COLUMN affect.alert_events.seq IS 'Number of the event within its alert, from 1.';
COMMENT ON COLUMN affect.alert_events.night IS 'Night of the event.';
COMMENT ON COLUMN affect.alert_events.kind IS 'opened, updated or resolved.';
COMMENT ON COLUMN affect.alert_events.severity IS 'Severity after the event.';
COMMENT ON COLUMN affect.alert_events.score IS 'Rank after the event.';
COMMENT ON COLUMN affect.alert_events.explanation IS 'Explanation after the event.';
