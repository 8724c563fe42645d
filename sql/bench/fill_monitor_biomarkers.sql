-- What was measured in the journals of one made-up night.
INSERT INTO affect.biomarkers (
    local_day, journal_id, patient_key, f0_sd_st, speech_rate_hz, pause_rate_per_min, energy_sd_db
)
SELECT
    journals.local_day,
    journals.journal_id,
    journals.patient_key,
    random_normal() AS f0_sd_st,
    random_normal() AS speech_rate_hz,
    random_normal() AS pause_rate_per_min,
    random_normal() AS energy_sd_db
FROM affect.journals
WHERE journals.night = :night;
