-- What was measured in the audio, what the contract said about it, and what the model heard.
--
-- scores, biomarkers and the tables of checks have no foreign key to journals: a million rows a night would each pay
-- for the look-up. They are loaded in the transaction that knows the journal, and find_orphans.sql looks for strays.
CREATE TABLE affect.audio_quality (
    journal_id text COLLATE "C" NOT NULL,
    duration_s double precision,
    speech_s double precision,
    speech_ratio double precision,
    silence_ratio double precision,
    snr_db double precision,
    clipping_ratio double precision,
    level_dbfs double precision,
    loudness_lufs double precision,
    bandwidth_hz double precision,
    dc_offset double precision,
    sample_rate_hz double precision,
    n_channels integer,
    CONSTRAINT audio_quality_pkey PRIMARY KEY (journal_id)
);

COMMENT ON TABLE affect.audio_quality IS
'How good each recording is, measured before it is judged. Empty: not defined.';
COMMENT ON COLUMN affect.audio_quality.journal_id IS 'Recording.';
COMMENT ON COLUMN affect.audio_quality.duration_s IS 'Length of the recording in seconds.';
COMMENT ON COLUMN affect.audio_quality.speech_s IS 'Seconds of speech found by voice activity detection.';
COMMENT ON COLUMN affect.audio_quality.speech_ratio IS 'Share of the recording that is speech, 0 to 1.';
COMMENT ON COLUMN affect.audio_quality.silence_ratio IS 'Share of the recording that is silent, 0 to 1.';
COMMENT ON COLUMN affect.audio_quality.snr_db IS 'Signal-to-noise ratio of speech against the pauses, in dB.';
COMMENT ON COLUMN affect.audio_quality.clipping_ratio IS 'Share of samples that are clipped, 0 to 1.';
COMMENT ON COLUMN affect.audio_quality.level_dbfs IS 'RMS level in dB relative to full scale.';
COMMENT ON COLUMN affect.audio_quality.loudness_lufs IS 'Integrated loudness in LUFS.';
COMMENT ON COLUMN affect.audio_quality.bandwidth_hz IS
'Highest frequency that carries signal; a phone call in a wide file is found out.';
COMMENT ON COLUMN affect.audio_quality.dc_offset IS 'Mean of the samples, -1 to 1.';
COMMENT ON COLUMN affect.audio_quality.sample_rate_hz IS 'Sampling rate of the file in Hz.';
COMMENT ON COLUMN affect.audio_quality.n_channels IS 'Channels of the file.';

CREATE TABLE affect.quality_checks (
    journal_id text COLLATE "C" NOT NULL,
    suite_version text NOT NULL,
    expectation text NOT NULL,
    metric text NOT NULL,
    value double precision,
    verdict text NOT NULL,
    CONSTRAINT quality_checks_pkey PRIMARY KEY (journal_id, suite_version, expectation)
);

COMMENT ON TABLE affect.quality_checks IS 'One row a recording and expectation of the quality contract.';
COMMENT ON COLUMN affect.quality_checks.journal_id IS 'Recording.';
COMMENT ON COLUMN affect.quality_checks.suite_version IS 'Version of the expectation suite that judged it.';
COMMENT ON COLUMN affect.quality_checks.expectation IS 'Name of the expectation.';
COMMENT ON COLUMN affect.quality_checks.metric IS 'Column of audio_quality it looks at.';
COMMENT ON COLUMN affect.quality_checks.value IS 'Value that was judged; empty if it is not defined.';
COMMENT ON COLUMN affect.quality_checks.verdict IS 'What the expectation said: passed, warned or failed.';

CREATE TABLE affect.biomarkers (
    local_day date NOT NULL,
    journal_id text COLLATE "C" NOT NULL,
    patient_key text COLLATE "C" NOT NULL,
    f0_median_hz double precision,
    f0_range_st double precision,
    f0_sd_st double precision,
    voiced_ratio double precision,
    speech_rate_hz double precision,
    pause_rate_per_min double precision,
    pause_mean_s double precision,
    energy_mean_db double precision,
    energy_sd_db double precision,
    spectral_slope_db_per_octave double precision,
    spectral_centroid_hz double precision,
    spectral_flatness double precision,
    CONSTRAINT biomarkers_pkey PRIMARY KEY (local_day, journal_id)
) PARTITION BY RANGE (local_day);

CREATE INDEX biomarkers_patient_day ON affect.biomarkers (patient_key, local_day);

COMMENT ON TABLE affect.biomarkers IS
'Interpretable measures of how a recording sounds, one row a recording, a partition a month. Wide on purpose: the '
'twelve measures come from one pass and are read together, one row costs a quarter of twelve, and each column has its '
'own unit. A new measure is a migration that adds a column.';
COMMENT ON COLUMN affect.biomarkers.local_day IS 'Calendar day of the recording where the patient was.';
COMMENT ON COLUMN affect.biomarkers.journal_id IS 'Recording.';
COMMENT ON COLUMN affect.biomarkers.patient_key IS 'Patient who recorded it.';
COMMENT ON COLUMN affect.biomarkers.f0_median_hz IS 'Median pitch in Hz.';
COMMENT ON COLUMN affect.biomarkers.f0_range_st IS 'Pitch range, 5th to 95th percentile, in semitones.';
COMMENT ON COLUMN affect.biomarkers.f0_sd_st IS 'Pitch variability: standard deviation in semitones. Low is monopitch.';
COMMENT ON COLUMN affect.biomarkers.voiced_ratio IS 'Share of speech frames that are voiced, 0 to 1.';
COMMENT ON COLUMN affect.biomarkers.speech_rate_hz IS 'Syllable nuclei a second of speech.';
COMMENT ON COLUMN affect.biomarkers.pause_rate_per_min IS 'Pauses a minute.';
COMMENT ON COLUMN affect.biomarkers.pause_mean_s IS 'Mean length of a pause in seconds.';
COMMENT ON COLUMN affect.biomarkers.energy_mean_db IS 'Mean speech energy in dB.';
COMMENT ON COLUMN affect.biomarkers.energy_sd_db IS 'Energy variability: standard deviation in dB.';
COMMENT ON COLUMN affect.biomarkers.spectral_slope_db_per_octave IS 'Spectral tilt in dB an octave.';
COMMENT ON COLUMN affect.biomarkers.spectral_centroid_hz IS 'Spectral centroid in Hz.';
COMMENT ON COLUMN affect.biomarkers.spectral_flatness IS 'Spectral flatness, 0 (tonal) to 1 (noise).';

CREATE TABLE affect.scores (
    local_day date NOT NULL,
    journal_id text COLLATE "C" NOT NULL,
    patient_key text COLLATE "C" NOT NULL,
    model_digest text COLLATE "C" NOT NULL,
    depression_probability double precision,
    depression_logit double precision,
    depression_logit_se double precision,
    valence double precision,
    valence_se double precision,
    arousal double precision,
    arousal_se double precision,
    n_windows integer,
    CONSTRAINT scores_pkey PRIMARY KEY (local_day, journal_id, model_digest),
    CONSTRAINT scores_probability_is_one CHECK (depression_probability BETWEEN 0 AND 1),
    CONSTRAINT scores_valence_in_range CHECK (valence BETWEEN -1 AND 1),
    CONSTRAINT scores_arousal_in_range CHECK (arousal BETWEEN -1 AND 1)
) PARTITION BY RANGE (local_day);

CREATE INDEX scores_patient_day ON affect.scores (patient_key, local_day);

COMMENT ON TABLE affect.scores IS
'What a model heard in a recording: one row a recording and model version, a partition a month of local_day.';
COMMENT ON COLUMN affect.scores.local_day IS 'Calendar day of the recording where the patient was.';
COMMENT ON COLUMN affect.scores.journal_id IS 'Recording.';
COMMENT ON COLUMN affect.scores.patient_key IS 'Patient who recorded it.';
COMMENT ON COLUMN affect.scores.model_digest IS 'Model version that scored it (model_versions).';
COMMENT ON COLUMN affect.scores.depression_probability IS
'Calibrated probability that the voice sounds depressed, 0 to 1. A signal to look, not a diagnosis.';
COMMENT ON COLUMN affect.scores.depression_logit IS 'The same on the logit scale, on which day values are averaged.';
COMMENT ON COLUMN affect.scores.depression_logit_se IS 'Standard error of depression_logit.';
COMMENT ON COLUMN affect.scores.valence IS 'Unpleasant (-1) to pleasant (1).';
COMMENT ON COLUMN affect.scores.valence_se IS 'Standard error of valence.';
COMMENT ON COLUMN affect.scores.arousal IS 'Calm (-1) to excited (1).';
COMMENT ON COLUMN affect.scores.arousal_se IS 'Standard error of arousal.';
COMMENT ON COLUMN affect.scores.n_windows IS 'Windows the recording was cut into.';

CREATE TABLE affect.model_versions (
    model_digest text COLLATE "C" NOT NULL,
    name text NOT NULL,
    registry_version integer,
    description text,
    metrics jsonb,
    registered_at timestamptz,
    CONSTRAINT model_versions_pkey PRIMARY KEY (model_digest)
);

COMMENT ON TABLE affect.model_versions IS
'Models that scored anything, by the digest of their weights and configuration.';
COMMENT ON COLUMN affect.model_versions.model_digest IS 'SHA-256 of weights and configuration.';
COMMENT ON COLUMN affect.model_versions.name IS 'Name in the model registry.';
COMMENT ON COLUMN affect.model_versions.registry_version IS 'Version number in the model registry.';
COMMENT ON COLUMN affect.model_versions.description IS 'One line of the model card.';
COMMENT ON COLUMN affect.model_versions.metrics IS 'Metrics of the model card.';
COMMENT ON COLUMN affect.model_versions.registered_at IS '[clock] When it was registered.';
