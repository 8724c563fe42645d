-- Every patient: alert, stable, too little data (why, until when) or consent withdrawn. :clinic narrows it down.
SELECT
    s.patient_key,
    s.clinic,
    s.state,
    s.n_open_alerts,
    s.baseline_reason,
    s.baseline_ready_on,
    s.last_recorded_day,
    s.n_journals
FROM affect.patient_state AS s
WHERE cast(:clinic AS text) IS NULL OR s.clinic = :clinic
ORDER BY s.state, s.patient_key;
