-- Whether the warehouse holds anything that a restore would lose.
SELECT
    EXISTS (SELECT FROM affect.deliveries)
    OR EXISTS (SELECT FROM affect.journals)
    OR EXISTS (SELECT FROM affect.patients)
    OR EXISTS (SELECT FROM affect.scores)
    OR EXISTS (SELECT FROM affect.monitored_days)
    OR EXISTS (SELECT FROM affect.drift_alerts)
    OR EXISTS (SELECT FROM affect.people)
    OR EXISTS (SELECT FROM affect.runs) AS holds_rows;
