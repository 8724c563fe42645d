-- One row a patient and day instead of sixteen: a night writes what it has to say about a patient once, with one key.
-- The long tables day_values and chart_days become views over it.
CREATE TABLE affect.monitored_days (
    patient_key text COLLATE "C" NOT NULL,
    model_digest text COLLATE "C" NOT NULL,
    local_day date NOT NULL,
    n_journals integer NOT NULL,
    depression double precision,
    valence double precision,
    arousal double precision,
    pitch_variability double precision,
    speech_rate double precision,
    pause_rate double precision,
    energy_variability double precision,
    depression_se double precision,
    valence_se double precision,
    arousal_se double precision,
    depression_expected real,
    depression_half_band real,
    depression_level real,
    valence_expected real,
    valence_half_band real,
    valence_level real,
    arousal_expected real,
    arousal_half_band real,
    arousal_level real,
    pitch_variability_expected real,
    pitch_variability_half_band real,
    pitch_variability_level real,
    speech_rate_expected real,
    speech_rate_half_band real,
    speech_rate_level real,
    pause_rate_expected real,
    pause_rate_half_band real,
    pause_rate_level real,
    energy_variability_expected real,
    energy_variability_half_band real,
    energy_variability_level real,
    statistic double precision,
    limit_value double precision,
    signal boolean,
    CONSTRAINT monitored_days_pkey PRIMARY KEY (patient_key, model_digest, local_day)
) PARTITION BY RANGE (local_day);

COMMENT ON TABLE affect.monitored_days IS
'What monitoring knows of a patient and local day with a usable recording: day values of all channels, and what the '
'charts said; a partition a month. The views day_values and chart_days show it one row a channel.';
COMMENT ON COLUMN affect.monitored_days.patient_key IS 'Patient.';
COMMENT ON COLUMN affect.monitored_days.model_digest IS 'Model version.';
COMMENT ON COLUMN affect.monitored_days.local_day IS 'Calendar day where the patient was.';
COMMENT ON COLUMN affect.monitored_days.n_journals IS 'Recordings the values were made from.';
COMMENT ON COLUMN affect.monitored_days.depression IS 'Day value: logit of the low-mood proxy.';
COMMENT ON COLUMN affect.monitored_days.valence IS 'Day value: pleasantness of the voice, -1 to 1.';
COMMENT ON COLUMN affect.monitored_days.arousal IS 'Day value: energy of the voice, -1 to 1.';
COMMENT ON COLUMN affect.monitored_days.pitch_variability IS 'Day value: pitch variability in semitones.';
COMMENT ON COLUMN affect.monitored_days.speech_rate IS 'Day value: syllable nuclei a second.';
COMMENT ON COLUMN affect.monitored_days.pause_rate IS 'Day value: pauses a minute.';
COMMENT ON COLUMN affect.monitored_days.energy_variability IS 'Day value: loudness variability in dB.';
COMMENT ON COLUMN affect.monitored_days.depression_se IS 'Standard error of depression.';
COMMENT ON COLUMN affect.monitored_days.valence_se IS 'Standard error of valence.';
COMMENT ON COLUMN affect.monitored_days.arousal_se IS 'Standard error of arousal.';
COMMENT ON COLUMN affect.monitored_days.depression_expected IS
'Value that the baseline expected of depression.';
COMMENT ON COLUMN affect.monitored_days.depression_half_band IS
'Half the width of the band that ordinary days of depression fall in.';
COMMENT ON COLUMN affect.monitored_days.depression_level IS
'Moving level of depression in SDs of the patient.';
COMMENT ON COLUMN affect.monitored_days.valence_expected IS
'Value that the baseline expected of valence.';
COMMENT ON COLUMN affect.monitored_days.valence_half_band IS
'Half the width of the band that ordinary days of valence fall in.';
COMMENT ON COLUMN affect.monitored_days.valence_level IS
'Moving level of valence in SDs of the patient.';
COMMENT ON COLUMN affect.monitored_days.arousal_expected IS
'Value that the baseline expected of arousal.';
COMMENT ON COLUMN affect.monitored_days.arousal_half_band IS
'Half the width of the band that ordinary days of arousal fall in.';
COMMENT ON COLUMN affect.monitored_days.arousal_level IS
'Moving level of arousal in SDs of the patient.';
COMMENT ON COLUMN affect.monitored_days.pitch_variability_expected IS
'Value that the baseline expected of pitch_variability.';
COMMENT ON COLUMN affect.monitored_days.pitch_variability_half_band IS
'Half the width of the band that ordinary days of pitch_variability fall in.';
COMMENT ON COLUMN affect.monitored_days.pitch_variability_level IS
'Moving level of pitch_variability in SDs of the patient.';
COMMENT ON COLUMN affect.monitored_days.speech_rate_expected IS
'Value that the baseline expected of speech_rate.';
COMMENT ON COLUMN affect.monitored_days.speech_rate_half_band IS
'Half the width of the band that ordinary days of speech_rate fall in.';
COMMENT ON COLUMN affect.monitored_days.speech_rate_level IS
'Moving level of speech_rate in SDs of the patient.';
COMMENT ON COLUMN affect.monitored_days.pause_rate_expected IS
'Value that the baseline expected of pause_rate.';
COMMENT ON COLUMN affect.monitored_days.pause_rate_half_band IS
'Half the width of the band that ordinary days of pause_rate fall in.';
COMMENT ON COLUMN affect.monitored_days.pause_rate_level IS
'Moving level of pause_rate in SDs of the patient.';
COMMENT ON COLUMN affect.monitored_days.energy_variability_expected IS
'Value that the baseline expected of energy_variability.';
COMMENT ON COLUMN affect.monitored_days.energy_variability_half_band IS
'Half the width of the band that ordinary days of energy_variability fall in.';
COMMENT ON COLUMN affect.monitored_days.energy_variability_level IS
'Moving level of energy_variability in SDs of the patient.';
COMMENT ON COLUMN affect.monitored_days.statistic IS
'Combined statistic of a worsening; empty before the baseline is ready, as are all columns of the charts.';
COMMENT ON COLUMN affect.monitored_days.limit_value IS 'Limit it is compared with.';
COMMENT ON COLUMN affect.monitored_days.signal IS 'Whether the statistic is past its limit.';

DO $$
DECLARE
    month_start date;
BEGIN
    FOR month_start IN
        SELECT DISTINCT date_trunc('month', v.local_day)::date AS first_day
        FROM affect.day_values AS v
        ORDER BY first_day
    LOOP
        EXECUTE format(
            'CREATE TABLE affect.%I PARTITION OF affect.monitored_days FOR VALUES FROM (%L) TO (%L)',
            'monitored_days_' || to_char(month_start, 'YYYY_MM'), month_start, (month_start + interval '1 month')::date
        );
    END LOOP;
END
$$;

INSERT INTO affect.monitored_days (
    patient_key, model_digest, local_day, n_journals, depression, valence, arousal, pitch_variability, speech_rate,
    pause_rate, energy_variability, depression_se, valence_se, arousal_se, depression_expected,
    depression_half_band, depression_level, valence_expected, valence_half_band, valence_level, arousal_expected,
    arousal_half_band, arousal_level, pitch_variability_expected, pitch_variability_half_band,
    pitch_variability_level, speech_rate_expected, speech_rate_half_band, speech_rate_level, pause_rate_expected,
    pause_rate_half_band, pause_rate_level, energy_variability_expected, energy_variability_half_band,
    energy_variability_level, statistic, limit_value, signal
)
SELECT
    v.patient_key,
    v.model_digest,
    v.local_day,
    max(v.n_journals) AS n_journals,
    max(v.value) FILTER (WHERE v.channel = 'depression') AS depression,
    max(v.value) FILTER (WHERE v.channel = 'valence') AS valence,
    max(v.value) FILTER (WHERE v.channel = 'arousal') AS arousal,
    max(v.value) FILTER (WHERE v.channel = 'pitch_variability') AS pitch_variability,
    max(v.value) FILTER (WHERE v.channel = 'speech_rate') AS speech_rate,
    max(v.value) FILTER (WHERE v.channel = 'pause_rate') AS pause_rate,
    max(v.value) FILTER (WHERE v.channel = 'energy_variability') AS energy_variability,
    max(v.se) FILTER (WHERE v.channel = 'depression') AS depression_se,
    max(v.se) FILTER (WHERE v.channel = 'valence') AS valence_se,
    max(v.se) FILTER (WHERE v.channel = 'arousal') AS arousal_se,
    max(c.expected) FILTER (WHERE c.channel = 'depression') AS depression_expected,
    max((c.band_high - c.band_low) / 2) FILTER (WHERE c.channel = 'depression') AS depression_half_band,
    max(c.statistic) FILTER (WHERE c.channel = 'depression') AS depression_level,
    max(c.expected) FILTER (WHERE c.channel = 'valence') AS valence_expected,
    max((c.band_high - c.band_low) / 2) FILTER (WHERE c.channel = 'valence') AS valence_half_band,
    max(c.statistic) FILTER (WHERE c.channel = 'valence') AS valence_level,
    max(c.expected) FILTER (WHERE c.channel = 'arousal') AS arousal_expected,
    max((c.band_high - c.band_low) / 2) FILTER (WHERE c.channel = 'arousal') AS arousal_half_band,
    max(c.statistic) FILTER (WHERE c.channel = 'arousal') AS arousal_level,
    max(c.expected) FILTER (WHERE c.channel = 'pitch_variability') AS pitch_variability_expected,
    max((c.band_high - c.band_low) / 2) FILTER (WHERE c.channel = 'pitch_variability') AS pitch_variability_half_band,
    max(c.statistic) FILTER (WHERE c.channel = 'pitch_variability') AS pitch_variability_level,
    max(c.expected) FILTER (WHERE c.channel = 'speech_rate') AS speech_rate_expected,
    max((c.band_high - c.band_low) / 2) FILTER (WHERE c.channel = 'speech_rate') AS speech_rate_half_band,
    max(c.statistic) FILTER (WHERE c.channel = 'speech_rate') AS speech_rate_level,
    max(c.expected) FILTER (WHERE c.channel = 'pause_rate') AS pause_rate_expected,
    max((c.band_high - c.band_low) / 2) FILTER (WHERE c.channel = 'pause_rate') AS pause_rate_half_band,
    max(c.statistic) FILTER (WHERE c.channel = 'pause_rate') AS pause_rate_level,
    max(c.expected) FILTER (WHERE c.channel = 'energy_variability') AS energy_variability_expected,
    max((c.band_high - c.band_low) / 2) FILTER (WHERE c.channel = 'energy_variability') AS energy_variability_half_band,
    max(c.statistic) FILTER (WHERE c.channel = 'energy_variability') AS energy_variability_level,
    max(x.statistic) AS statistic,
    max(x.limit_value) AS limit_value,
    bool_or(x.signal) AS signal
FROM affect.day_values AS v
LEFT JOIN affect.chart_days AS c
    ON
        v.patient_key = c.patient_key
        AND v.model_digest = c.model_digest
        AND v.channel = c.channel
        AND v.local_day = c.local_day
LEFT JOIN affect.chart_days AS x
    ON
        v.patient_key = x.patient_key
        AND v.model_digest = x.model_digest
        AND x.channel = 'combined'
        AND v.local_day = x.local_day
GROUP BY v.patient_key, v.model_digest, v.local_day;

DROP TABLE affect.day_values CASCADE;
DROP TABLE affect.chart_days CASCADE;
