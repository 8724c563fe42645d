-- What waits after a run, for metrics.
SELECT
    (SELECT coalesce(sum(nights.n_pending), 0) FROM affect.nights) AS recordings_to_judge,
    (
        SELECT count(*)
        FROM affect.drift_alerts AS alerts
        WHERE alerts.state = 'open'
    ) AS open_alerts;
