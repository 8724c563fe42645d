-- A recording counts for the day and the patient of its journal, whatever the loader believed.
INSERT INTO affect.biomarkers AS t (
    local_day, journal_id, patient_key, f0_median_hz, f0_range_st, f0_sd_st, voiced_ratio, speech_rate_hz,
    pause_rate_per_min, pause_mean_s, energy_mean_db, energy_sd_db, spectral_slope_db_per_octave,
    spectral_centroid_hz, spectral_flatness
)
SELECT
    coalesce(j.local_day, s.local_day) AS local_day,
    s.journal_id,
    coalesce(j.patient_key, s.patient_key) AS patient_key,
    s.f0_median_hz,
    s.f0_range_st,
    s.f0_sd_st,
    s.voiced_ratio,
    s.speech_rate_hz,
    s.pause_rate_per_min,
    s.pause_mean_s,
    s.energy_mean_db,
    s.energy_sd_db,
    s.spectral_slope_db_per_octave,
    s.spectral_centroid_hz,
    s.spectral_flatness
FROM pg_temp.staging_biomarkers AS s
LEFT JOIN affect.journals AS j ON s.journal_id = j.journal_id
ORDER BY local_day, s.journal_id
ON CONFLICT (local_day, journal_id) DO UPDATE SET
    patient_key = excluded.patient_key,
    f0_median_hz = excluded.f0_median_hz,
    f0_range_st = excluded.f0_range_st,
    f0_sd_st = excluded.f0_sd_st,
    voiced_ratio = excluded.voiced_ratio,
    speech_rate_hz = excluded.speech_rate_hz,
    pause_rate_per_min = excluded.pause_rate_per_min,
    pause_mean_s = excluded.pause_mean_s,
    energy_mean_db = excluded.energy_mean_db,
    energy_sd_db = excluded.energy_sd_db,
    spectral_slope_db_per_octave = excluded.spectral_slope_db_per_octave,
    spectral_centroid_hz = excluded.spectral_centroid_hz,
    spectral_flatness = excluded.spectral_flatness
-- Writing a row that is there already would cost as much as a change.
WHERE
(
    t.patient_key, t.f0_median_hz, t.f0_range_st, t.f0_sd_st, t.voiced_ratio, t.speech_rate_hz,
    t.pause_rate_per_min, t.pause_mean_s, t.energy_mean_db, t.energy_sd_db,
    t.spectral_slope_db_per_octave, t.spectral_centroid_hz, t.spectral_flatness
) IS DISTINCT FROM (
    excluded.patient_key, excluded.f0_median_hz, excluded.f0_range_st, excluded.f0_sd_st,
    excluded.voiced_ratio, excluded.speech_rate_hz, excluded.pause_rate_per_min,
    excluded.pause_mean_s, excluded.energy_mean_db, excluded.energy_sd_db,
    excluded.spectral_slope_db_per_octave, excluded.spectral_centroid_hz, excluded.spectral_flatness
);
