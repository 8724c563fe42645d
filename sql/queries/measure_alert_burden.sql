-- Alerts by clinic and week, and for each 100 patients who recorded. :since narrows it down.
SELECT
    w.clinic,
    w.week_start,
    w.n_patients,
    w.n_alerts,
    w.n_worsening,
    w.alerts_per_100_patients
FROM affect.alert_weeks AS w
WHERE w.week_start >= coalesce(cast(:since AS date), date '-infinity')
ORDER BY w.clinic, w.week_start;
