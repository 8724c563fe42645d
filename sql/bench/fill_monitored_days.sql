-- Day values and charts of the days from :first to :last, for all channels that have a baseline.
INSERT INTO affect.monitored_days (
    patient_key, model_digest, local_day, n_journals, depression, valence, arousal, pitch_variability,
    speech_rate, pause_rate, energy_variability, depression_se, valence_se, arousal_se, depression_expected,
    depression_half_band, depression_level, valence_expected, valence_half_band, valence_level,
    arousal_expected, arousal_half_band, arousal_level, pitch_variability_expected, pitch_variability_half_band,
    pitch_variability_level, speech_rate_expected, speech_rate_half_band, speech_rate_level,
    pause_rate_expected, pause_rate_half_band, pause_rate_level, energy_variability_expected,
    energy_variability_half_band, energy_variability_level, statistic, limit_value, signal
)
SELECT
    made.patient_key,
    made.model_digest,
    made.local_day,
    1,
    made.depression,
    made.valence,
    made.arousal,
    made.pitch_variability,
    made.speech_rate,
    made.pause_rate,
    made.energy_variability,
    made.depression_scale * 0.4,
    made.valence_scale * 0.4,
    made.arousal_scale * 0.4,
    made.depression_mean,
    2 * made.depression_sd,
    (made.depression - made.depression_mean) / made.depression_sd,
    made.valence_mean,
    2 * made.valence_sd,
    (made.valence - made.valence_mean) / made.valence_sd,
    made.arousal_mean,
    2 * made.arousal_sd,
    (made.arousal - made.arousal_mean) / made.arousal_sd,
    made.pitch_variability_mean,
    2 * made.pitch_variability_sd,
    (made.pitch_variability - made.pitch_variability_mean) / made.pitch_variability_sd,
    made.speech_rate_mean,
    2 * made.speech_rate_sd,
    (made.speech_rate - made.speech_rate_mean) / made.speech_rate_sd,
    made.pause_rate_mean,
    2 * made.pause_rate_sd,
    (made.pause_rate - made.pause_rate_mean) / made.pause_rate_sd,
    made.energy_variability_mean,
    2 * made.energy_variability_sd,
    (made.energy_variability - made.energy_variability_mean) / made.energy_variability_sd,
    abs(made.depression - made.depression_mean) / made.depression_sd,
    CASE WHEN made.depression_sd IS NOT NULL THEN 2 END,
    abs(made.depression - made.depression_mean) > 2 * made.depression_sd
FROM (
    SELECT
        scores.patient_key,
        scores.model_digest,
        scores.local_day,
        scales.depression_centre + scales.depression_slope * (scores.depression_logit + 1.2) AS depression,
        scales.valence_centre + scales.valence_slope * (scores.depression_logit + 1.2) AS valence,
        scales.arousal_centre + scales.arousal_slope * (scores.depression_logit + 1.2) AS arousal,
        scales.pitch_variability_centre
        + scales.pitch_variability_slope * (scores.depression_logit + 1.2) AS pitch_variability,
        scales.speech_rate_centre + scales.speech_rate_slope * (scores.depression_logit + 1.2) AS speech_rate,
        scales.pause_rate_centre + scales.pause_rate_slope * (scores.depression_logit + 1.2) AS pause_rate,
        scales.energy_variability_centre
        + scales.energy_variability_slope * (scores.depression_logit + 1.2) AS energy_variability,
        abs(scales.depression_slope) AS depression_scale,
        abs(scales.valence_slope) AS valence_scale,
        abs(scales.arousal_slope) AS arousal_scale,
        past.depression_mean,
        past.depression_sd,
        past.valence_mean,
        past.valence_sd,
        past.arousal_mean,
        past.arousal_sd,
        past.pitch_variability_mean,
        past.pitch_variability_sd,
        past.speech_rate_mean,
        past.speech_rate_sd,
        past.pause_rate_mean,
        past.pause_rate_sd,
        past.energy_variability_mean,
        past.energy_variability_sd
    FROM affect.scores
    CROSS JOIN (
        SELECT
            max(curves.centre) FILTER (WHERE curves.channel = 'depression') AS depression_centre,
            max(curves.slope) FILTER (WHERE curves.channel = 'depression') AS depression_slope,
            max(curves.centre) FILTER (WHERE curves.channel = 'valence') AS valence_centre,
            max(curves.slope) FILTER (WHERE curves.channel = 'valence') AS valence_slope,
            max(curves.centre) FILTER (WHERE curves.channel = 'arousal') AS arousal_centre,
            max(curves.slope) FILTER (WHERE curves.channel = 'arousal') AS arousal_slope,
            max(curves.centre) FILTER (WHERE curves.channel = 'pitch_variability') AS pitch_variability_centre,
            max(curves.slope) FILTER (WHERE curves.channel = 'pitch_variability') AS pitch_variability_slope,
            max(curves.centre) FILTER (WHERE curves.channel = 'speech_rate') AS speech_rate_centre,
            max(curves.slope) FILTER (WHERE curves.channel = 'speech_rate') AS speech_rate_slope,
            max(curves.centre) FILTER (WHERE curves.channel = 'pause_rate') AS pause_rate_centre,
            max(curves.slope) FILTER (WHERE curves.channel = 'pause_rate') AS pause_rate_slope,
            max(curves.centre) FILTER (WHERE curves.channel = 'energy_variability') AS energy_variability_centre,
            max(curves.slope) FILTER (WHERE curves.channel = 'energy_variability') AS energy_variability_slope
        FROM
            unnest(cast(:channels AS text[]), cast(:centres AS float8[]), cast(:slopes AS float8[])) AS curves (
                channel, centre, slope
            )
    ) AS scales
    LEFT JOIN (
        SELECT
            baselines.patient_key,
            max(baselines.mean) FILTER (WHERE baselines.channel = 'depression') AS depression_mean,
            max(baselines.sd) FILTER (WHERE baselines.channel = 'depression') AS depression_sd,
            max(baselines.mean) FILTER (WHERE baselines.channel = 'valence') AS valence_mean,
            max(baselines.sd) FILTER (WHERE baselines.channel = 'valence') AS valence_sd,
            max(baselines.mean) FILTER (WHERE baselines.channel = 'arousal') AS arousal_mean,
            max(baselines.sd) FILTER (WHERE baselines.channel = 'arousal') AS arousal_sd,
            max(baselines.mean) FILTER (WHERE baselines.channel = 'pitch_variability') AS pitch_variability_mean,
            max(baselines.sd) FILTER (WHERE baselines.channel = 'pitch_variability') AS pitch_variability_sd,
            max(baselines.mean) FILTER (WHERE baselines.channel = 'speech_rate') AS speech_rate_mean,
            max(baselines.sd) FILTER (WHERE baselines.channel = 'speech_rate') AS speech_rate_sd,
            max(baselines.mean) FILTER (WHERE baselines.channel = 'pause_rate') AS pause_rate_mean,
            max(baselines.sd) FILTER (WHERE baselines.channel = 'pause_rate') AS pause_rate_sd,
            max(baselines.mean) FILTER (WHERE baselines.channel = 'energy_variability') AS energy_variability_mean,
            max(baselines.sd) FILTER (WHERE baselines.channel = 'energy_variability') AS energy_variability_sd
        FROM affect.baselines
        WHERE baselines.state = 'ready'
        GROUP BY baselines.patient_key
    ) AS past ON scores.patient_key = past.patient_key
    WHERE scores.local_day BETWEEN :first AND :last
) AS made;
