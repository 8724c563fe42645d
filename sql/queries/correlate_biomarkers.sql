-- Do the voice's measures move with the model's score? Correlations over recordings, by model version.
SELECT
    s.model_digest,
    count(*) AS n_journals,
    corr(s.depression_logit, b.f0_sd_st) AS with_pitch_variability,
    corr(s.depression_logit, b.speech_rate_hz) AS with_speech_rate,
    corr(s.depression_logit, b.pause_rate_per_min) AS with_pause_rate,
    corr(s.depression_logit, b.energy_sd_db) AS with_energy_variability
FROM affect.scores AS s
INNER JOIN affect.biomarkers AS b ON s.local_day = b.local_day AND s.journal_id = b.journal_id
GROUP BY s.model_digest
ORDER BY s.model_digest;
