-- Fairness: alerts, misses and recording by sex, age band, language, device and clinic. :dimension picks one of them.
SELECT
    g.dimension,
    g.group_name,
    g.n_patients,
    g.n_alerts,
    g.share_alerted,
    g.alerts_per_patient_90_days,
    g.share_of_days_recorded,
    g.n_known_changes,
    g.n_missed,
    g.miss_rate
FROM affect.alert_rates_by_group AS g
WHERE cast(:dimension AS text) IS NULL OR g.dimension = :dimension
ORDER BY g.dimension, g.group_name;
