-- Day values and charts, one row a channel: what analysts and charts read. Kept as one row a day, see monitored_days.
CREATE VIEW affect.day_values WITH (security_invoker = true) AS
SELECT
    d.patient_key,
    d.model_digest,
    c.channel,
    d.local_day,
    c.value,
    c.se,
    d.n_journals
FROM affect.monitored_days AS d
CROSS JOIN
    LATERAL (
        VALUES
        ('depression' COLLATE "C", d.depression, d.depression_se),
        ('valence' COLLATE "C", d.valence, d.valence_se),
        ('arousal' COLLATE "C", d.arousal, d.arousal_se),
        ('pitch_variability' COLLATE "C", d.pitch_variability, NULL::double precision),
        ('speech_rate' COLLATE "C", d.speech_rate, NULL::double precision),
        ('pause_rate' COLLATE "C", d.pause_rate, NULL::double precision),
        ('energy_variability' COLLATE "C", d.energy_variability, NULL::double precision),
        ('adherence' COLLATE "C", 1, NULL)
    ) AS c (channel, value, se)
WHERE c.value IS NOT NULL;

COMMENT ON VIEW affect.day_values IS
'One value a patient, channel and local day: the recordings of the day weighted by their uncertainty. Channels are '
'depression (logit), valence, arousal, pitch_variability (semitones), speech_rate (syllables a second), '
'pause_rate (a minute), energy_variability (dB) and adherence (1 on a day with a recording).';

CREATE VIEW affect.chart_days WITH (security_invoker = true) AS
SELECT
    d.patient_key,
    d.model_digest,
    c.channel,
    d.local_day,
    c.expected::double precision AS expected,
    (c.expected - c.half_band)::double precision AS band_low,
    (c.expected + c.half_band)::double precision AS band_high,
    c.statistic,
    c.limit_value,
    d.signal AND (c.limit_value IS NOT NULL OR abs(c.statistic) >= 1) AS signal
FROM affect.monitored_days AS d
CROSS JOIN
    LATERAL (
        VALUES
        (
            'depression' COLLATE "C", d.depression_expected, d.depression_half_band,
            d.depression_level::double precision, NULL::double precision
        ),
        (
            'valence' COLLATE "C", d.valence_expected, d.valence_half_band,
            d.valence_level::double precision, NULL::double precision
        ),
        (
            'arousal' COLLATE "C", d.arousal_expected, d.arousal_half_band,
            d.arousal_level::double precision, NULL::double precision
        ),
        (
            'pitch_variability' COLLATE "C", d.pitch_variability_expected, d.pitch_variability_half_band,
            d.pitch_variability_level::double precision, NULL::double precision
        ),
        (
            'speech_rate' COLLATE "C", d.speech_rate_expected, d.speech_rate_half_band,
            d.speech_rate_level::double precision, NULL::double precision
        ),
        (
            'pause_rate' COLLATE "C", d.pause_rate_expected, d.pause_rate_half_band,
            d.pause_rate_level::double precision, NULL::double precision
        ),
        (
            'energy_variability' COLLATE "C", d.energy_variability_expected, d.energy_variability_half_band,
            d.energy_variability_level::double precision, NULL::double precision
        ),
        ('combined' COLLATE "C", NULL, NULL, d.statistic, d.limit_value)
    ) AS c (channel, expected, half_band, statistic, limit_value)
WHERE d.signal IS NOT NULL AND c.statistic IS NOT NULL;

COMMENT ON VIEW affect.chart_days IS
'What the charts of a patient said on each day since the baseline was ready: for each channel what was expected, the '
'band that ordinary days fall in and the moving level in SDs of the patient; for combined the statistic of a worsening '
'and its limit.';
