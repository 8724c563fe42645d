-- What the charts expected and found on each day of the patients who have a baseline.
UPDATE affect.monitored_days AS d
SET
    depression_expected = b.depression_mean,
    depression_half_band = 2 * b.depression_sd,
    depression_level = (d.depression - b.depression_mean) / b.depression_sd,
    valence_expected = b.valence_mean,
    valence_half_band = 2 * b.valence_sd,
    valence_level = (d.valence - b.valence_mean) / b.valence_sd,
    arousal_expected = b.arousal_mean,
    arousal_half_band = 2 * b.arousal_sd,
    arousal_level = (d.arousal - b.arousal_mean) / b.arousal_sd,
    pitch_variability_expected = b.pitch_variability_mean,
    pitch_variability_half_band = 2 * b.pitch_variability_sd,
    pitch_variability_level = (d.pitch_variability - b.pitch_variability_mean) / b.pitch_variability_sd,
    speech_rate_expected = b.speech_rate_mean,
    speech_rate_half_band = 2 * b.speech_rate_sd,
    speech_rate_level = (d.speech_rate - b.speech_rate_mean) / b.speech_rate_sd,
    pause_rate_expected = b.pause_rate_mean,
    pause_rate_half_band = 2 * b.pause_rate_sd,
    pause_rate_level = (d.pause_rate - b.pause_rate_mean) / b.pause_rate_sd,
    energy_variability_expected = b.energy_variability_mean,
    energy_variability_half_band = 2 * b.energy_variability_sd,
    energy_variability_level = (d.energy_variability - b.energy_variability_mean) / b.energy_variability_sd,
    statistic = abs(d.depression - b.depression_mean) / b.depression_sd,
    limit_value = 2,
    signal = abs(d.depression - b.depression_mean) > 2 * b.depression_sd
FROM (
    SELECT
        baselines.patient_key,
        baselines.model_digest,
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
    GROUP BY baselines.patient_key, baselines.model_digest
) AS b
WHERE d.patient_key = b.patient_key AND d.model_digest = b.model_digest;
