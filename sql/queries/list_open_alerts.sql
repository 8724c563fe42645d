-- Alerts nobody has closed, the most urgent of each clinic first. :clinic narrows it down.
SELECT
    a.clinic,
    a.rank_in_clinic,
    a.patient_key,
    a.direction,
    a.severity,
    a.state,
    a.opened_night,
    a.onset_day,
    a.onset_low,
    a.onset_high,
    a.explanation,
    a.last_actor,
    a.alert_id
FROM affect.ranked_alerts AS a
WHERE a.state <> 'resolved' AND (cast(:clinic AS text) IS NULL OR a.clinic = :clinic)
ORDER BY a.clinic, a.rank_in_clinic;
