-- Alerts opened in each week, by direction.
SELECT
    cast(date_trunc('week', drift_alerts.opened_night) AS date) AS week,
    drift_alerts.direction,
    count(*) AS n_alerts
FROM affect.drift_alerts
WHERE drift_alerts.opened_night BETWEEN :first_day AND :last_day
GROUP BY week, drift_alerts.direction
ORDER BY week, drift_alerts.direction;
