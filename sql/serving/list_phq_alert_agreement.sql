-- Did the PHQ rise by five points where an alert was raised, and was an alert raised where the PHQ rose?
SELECT
    a.model_digest,
    a.measure,
    a.n_patients,
    a.n,
    a.n_agreed,
    a.share,
    a.share_low,
    a.share_high
FROM affect.phq_alert_agreement AS a
ORDER BY a.model_digest, a.measure;
