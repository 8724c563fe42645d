-- What the charts of a model version know of the cohort, and how far they have come.
CREATE TABLE affect.cohort_profiles (
    model_digest text COLLATE "C" NOT NULL,
    as_of_night date NOT NULL,
    n_patients integer NOT NULL,
    profile text COLLATE "C" NOT NULL,
    CONSTRAINT cohort_profiles_pkey PRIMARY KEY (model_digest, as_of_night)
);

COMMENT ON TABLE affect.cohort_profiles IS
'The cohort in control, as known on a night: the prior of every baseline that became ready from then on.';
COMMENT ON COLUMN affect.cohort_profiles.model_digest IS 'Model version.';
COMMENT ON COLUMN affect.cohort_profiles.as_of_night IS 'Night whose knowledge it holds.';
COMMENT ON COLUMN affect.cohort_profiles.n_patients IS 'Patients it was estimated from.';
COMMENT ON COLUMN affect.cohort_profiles.profile IS
'Means, spreads, autocorrelation, weekday effects, tails, correlation and missing days, as JSON text.';

CREATE TABLE affect.monitor_progress (
    model_digest text COLLATE "C" NOT NULL,
    first_night date NOT NULL,
    through_night date NOT NULL,
    rules text COLLATE "C" NOT NULL,
    CONSTRAINT monitor_progress_pkey PRIMARY KEY (model_digest),
    CONSTRAINT monitor_progress_ordered CHECK (first_night <= through_night)
);

COMMENT ON TABLE affect.monitor_progress IS 'How far the charts of each model version have come.';
COMMENT ON COLUMN affect.monitor_progress.model_digest IS 'Model version.';
COMMENT ON COLUMN affect.monitor_progress.first_night IS 'First night that brought anything.';
COMMENT ON COLUMN affect.monitor_progress.through_night IS 'Last night that was judged.';
COMMENT ON COLUMN affect.monitor_progress.rules IS
'Digest of the settings that shape baselines, charts and alerts; other settings mean that all is judged anew.';

-- A packed state is about two kilobytes of numbers that do not compress: it stays in the row.
ALTER TABLE affect.chart_state ALTER COLUMN state SET STORAGE PLAIN;
