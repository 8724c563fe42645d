-- Alerts that were raised on the nights, as the machine and people left them; patient by patient.
SELECT
    a.alert_id,
    a.patient_key,
    a.model_digest,
    a.direction,
    a.severity,
    a.state,
    a.opened_night,
    a.onset_day,
    a.onset_low,
    a.onset_high,
    a.resolved_night,
    a.explanation,
    a.last_action
FROM affect.ranked_alerts AS a
INNER JOIN affect.patients AS p ON a.patient_key = p.patient_key
WHERE
    a.opened_night BETWEEN :first_night AND :last_night
    AND p.consent_withdrawn_night IS NULL
    AND (cast(:patient_key AS text) IS NULL OR a.patient_key = :patient_key)
ORDER BY a.patient_key, a.alert_id;
