-- Whether the recordings as a whole have shifted. Nothing here says anything about a single patient.
CREATE TABLE affect.population_comparisons (
    night date NOT NULL,
    dimension text NOT NULL,
    part text NOT NULL,
    measure text NOT NULL,
    state text NOT NULL,
    reason text,
    n_current integer NOT NULL,
    n_patients integer NOT NULL,
    reference_mean double precision,
    current_mean double precision,
    difference double precision,
    effect double precision,
    p_value double precision,
    threshold double precision,
    CONSTRAINT population_comparisons_pkey PRIMARY KEY (night, dimension, part, measure),
    CONSTRAINT population_comparisons_state_known CHECK (state IN ('steady', 'shifted', 'too_little_data')),
    CONSTRAINT population_comparisons_dimension_known
    CHECK (dimension IN ('all', 'device', 'clinic', 'language', 'model_version'))
);

CREATE INDEX population_comparisons_shifted ON affect.population_comparisons (night) WHERE state = 'shifted';

COMMENT ON TABLE affect.population_comparisons IS
'[clock] The seven nights up to a night beside the 28 before, patient by patient, in parts of the cohort. A function '
'of the journals known when it was made, for the last night of each run: which nights those are is no content.';
COMMENT ON COLUMN affect.population_comparisons.night IS 'Last night of the run, and of the current window.';
COMMENT ON COLUMN affect.population_comparisons.dimension IS
'How the cohort is cut: all, device, clinic, language or model_version.';
COMMENT ON COLUMN affect.population_comparisons.part IS 'Which part: the device, the clinic and so on.';
COMMENT ON COLUMN affect.population_comparisons.measure IS
'What is compared: a column of scores, biomarkers or audio_quality; quarantined is the share that was not usable.';
COMMENT ON COLUMN affect.population_comparisons.state IS 'steady, shifted or too_little_data.';
COMMENT ON COLUMN affect.population_comparisons.reason IS 'Why nothing can be said; empty if something can.';
COMMENT ON COLUMN affect.population_comparisons.n_current IS 'Patients with a recording in the current window.';
COMMENT ON COLUMN affect.population_comparisons.n_patients IS 'Patients with enough recordings in both windows.';
COMMENT ON COLUMN affect.population_comparisons.reference_mean IS
'Mean over these patients of their means before.';
COMMENT ON COLUMN affect.population_comparisons.current_mean IS 'Mean over these patients of their means now.';
COMMENT ON COLUMN affect.population_comparisons.difference IS 'Mean over patients of now minus before.';
COMMENT ON COLUMN affect.population_comparisons.effect IS
'The same in standard deviations of a typical patient from recording to recording; at most 99.';
COMMENT ON COLUMN affect.population_comparisons.p_value IS
'Chance of a difference as large in a steady cohort: t test of one difference a patient.';
COMMENT ON COLUMN affect.population_comparisons.threshold IS
'What p_value may be for a shift on this night, over all its comparisons (Holm).';

CREATE TABLE affect.population_notices (
    night date NOT NULL,
    dimension text NOT NULL,
    part text NOT NULL,
    measure text NOT NULL,
    sent_at timestamptz NOT NULL,
    CONSTRAINT population_notices_pkey PRIMARY KEY (night, dimension, part, measure)
);

COMMENT ON TABLE affect.population_notices IS
'[clock] Shifts that operators have been told of, so that a shift that lasts is told once.';
COMMENT ON COLUMN affect.population_notices.night IS 'Night of the message.';
COMMENT ON COLUMN affect.population_notices.dimension IS 'As in population_comparisons.';
COMMENT ON COLUMN affect.population_notices.part IS 'As in population_comparisons.';
COMMENT ON COLUMN affect.population_notices.measure IS 'As in population_comparisons.';
COMMENT ON COLUMN affect.population_notices.sent_at IS 'When the message went out.';
