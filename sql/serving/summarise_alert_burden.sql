-- Patients of each clinic with a standing alert that nobody has looked at yet.
SELECT
    ranked_alerts.clinic,
    count(DISTINCT ranked_alerts.patient_key) AS n_patients
FROM affect.ranked_alerts
WHERE ranked_alerts.state = 'new'
GROUP BY ranked_alerts.clinic
ORDER BY ranked_alerts.clinic;
