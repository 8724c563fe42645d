-- Figures about cohorts that may leave the warehouse, and the budget that they are paid from.
CREATE TABLE affect.privacy_budgets (
    budget_id bigint GENERATED ALWAYS AS IDENTITY,
    at timestamptz NOT NULL DEFAULT clock_timestamp(),
    actor text NOT NULL,
    epsilon double precision NOT NULL,
    delta double precision NOT NULL,
    rho numeric NOT NULL,
    reason text NOT NULL,
    CONSTRAINT privacy_budgets_pkey PRIMARY KEY (budget_id),
    CONSTRAINT privacy_budgets_epsilon_positive CHECK (epsilon > 0),
    CONSTRAINT privacy_budgets_delta_small CHECK (delta > 0 AND delta < 0.001),
    CONSTRAINT privacy_budgets_rho_positive CHECK (rho > 0)
);

COMMENT ON TABLE affect.privacy_budgets IS
'[clock] What all releases together may cost in privacy. The newest row counts; rows are only ever added.';
COMMENT ON COLUMN affect.privacy_budgets.budget_id IS 'Number of the row; the largest counts.';
COMMENT ON COLUMN affect.privacy_budgets.at IS 'When it was set.';
COMMENT ON COLUMN affect.privacy_budgets.actor IS 'System user who set it.';
COMMENT ON COLUMN affect.privacy_budgets.epsilon IS 'Epsilon that all releases together may cost a patient, at delta.';
COMMENT ON COLUMN affect.privacy_budgets.delta IS 'Delta of all epsilons of releases.';
COMMENT ON COLUMN affect.privacy_budgets.rho IS
'The same as zero-concentrated differential privacy, in which releases add up.';
COMMENT ON COLUMN affect.privacy_budgets.reason IS 'Why it was set so.';

CREATE TABLE affect.privacy_releases (
    release_id bigint NOT NULL,
    at timestamptz NOT NULL DEFAULT clock_timestamp(),
    actor text NOT NULL,
    rho numeric NOT NULL,
    epsilon double precision NOT NULL,
    delta double precision NOT NULL,
    model_digest text COLLATE "C" NOT NULL,
    first_week date NOT NULL,
    n_weeks integer NOT NULL,
    weeks_per_patient integer NOT NULL,
    least_patients integer NOT NULL,
    channels text[] NOT NULL,
    clinics text[] NOT NULL,
    CONSTRAINT privacy_releases_pkey PRIMARY KEY (release_id),
    CONSTRAINT privacy_releases_rho_positive CHECK (rho > 0)
);

COMMENT ON TABLE affect.privacy_releases IS
'[clock] What each release of cohort trends cost: the ledger of the budget. Rows are only ever added, and a row '
'that would overspend the budget is refused by the warehouse.';
COMMENT ON COLUMN affect.privacy_releases.release_id IS 'Number of the release, without gaps; given by the warehouse.';
COMMENT ON COLUMN affect.privacy_releases.at IS 'When.';
COMMENT ON COLUMN affect.privacy_releases.actor IS 'System user who released.';
COMMENT ON COLUMN affect.privacy_releases.rho IS 'Price as zero-concentrated differential privacy; prices add up.';
COMMENT ON COLUMN affect.privacy_releases.epsilon IS 'Price of this release alone as epsilon, at delta.';
COMMENT ON COLUMN affect.privacy_releases.delta IS 'Delta of epsilon.';
COMMENT ON COLUMN affect.privacy_releases.model_digest IS 'Model version whose day values were released.';
COMMENT ON COLUMN affect.privacy_releases.first_week IS 'Monday of the first week.';
COMMENT ON COLUMN affect.privacy_releases.n_weeks IS 'Weeks released.';
COMMENT ON COLUMN affect.privacy_releases.weeks_per_patient IS 'Weeks that a patient adds to at most.';
COMMENT ON COLUMN affect.privacy_releases.least_patients IS 'Means of weeks with a smaller noisy count are withheld.';
COMMENT ON COLUMN affect.privacy_releases.channels IS 'Channels whose weekly means were released.';
COMMENT ON COLUMN affect.privacy_releases.clinics IS 'Clinics, a cohort each; empty for one cohort of everybody.';

CREATE TABLE affect.released_trends (
    release_id bigint NOT NULL,
    cohort text COLLATE "C" NOT NULL,
    week_start date NOT NULL,
    measure text COLLATE "C" NOT NULL,
    value double precision,
    low_95 double precision,
    high_95 double precision,
    noise_sd double precision NOT NULL,
    CONSTRAINT released_trends_pkey PRIMARY KEY (release_id, cohort, week_start, measure),
    CONSTRAINT released_trends_release_exists FOREIGN KEY (release_id)
    REFERENCES affect.privacy_releases (release_id),
    CONSTRAINT released_trends_withheld_whole CHECK (num_nulls(value, low_95, high_95) IN (0, 3))
);

COMMENT ON TABLE affect.released_trends IS
'[clock] Figures about cohorts that may leave the warehouse: weekly counts, shares in alert and means of channels, '
'with noise that hides each patient. What was released is never changed, nor taken back when a patient is erased.';
COMMENT ON COLUMN affect.released_trends.release_id IS 'Release.';
COMMENT ON COLUMN affect.released_trends.cohort IS 'Clinic, or all.';
COMMENT ON COLUMN affect.released_trends.week_start IS 'Monday.';
COMMENT ON COLUMN affect.released_trends.measure IS
'patients, share_in_alert (an open alert of worsening), or a channel, whose mean over patients it is.';
COMMENT ON COLUMN affect.released_trends.value IS
'The figure, with noise; empty where it is withheld because too few patients, or none, can be told from the noise.';
COMMENT ON COLUMN affect.released_trends.low_95 IS
'Lower end of where the figure without noise lies with 95 % chance; the error of sampling patients is not in it.';
COMMENT ON COLUMN affect.released_trends.high_95 IS 'Upper end of the same.';
COMMENT ON COLUMN affect.released_trends.noise_sd IS
'Standard deviation of the noise on the sum behind the figure: patients, or units of the channel times patients.';
