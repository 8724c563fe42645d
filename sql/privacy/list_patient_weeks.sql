-- One row a patient and week: the mean of the week's day values, and whether an alert of worsening was open in it.
-- Who has withdrawn consent is in no release.
WITH heard AS (
    SELECT
        d.patient_key,
        p.clinic,
        date_trunc('week', d.local_day)::date AS week_start,
        avg(d.depression) AS depression,
        avg(d.valence) AS valence,
        avg(d.arousal) AS arousal,
        avg(d.pitch_variability) AS pitch_variability,
        avg(d.speech_rate) AS speech_rate,
        avg(d.pause_rate) AS pause_rate,
        avg(d.energy_variability) AS energy_variability
    FROM affect.monitored_days AS d
    INNER JOIN affect.patients AS p ON d.patient_key = p.patient_key
    WHERE
        d.model_digest = :model_digest
        AND d.local_day >= :first_day
        AND d.local_day < :end_day
        AND p.consent_withdrawn_night IS null
    GROUP BY d.patient_key, p.clinic, date_trunc('week', d.local_day)
)

SELECT
    h.*,
    coalesce(a.n_alerts > 0, false) AS in_alert
FROM heard AS h
LEFT JOIN LATERAL (
    SELECT count(*) AS n_alerts
    FROM affect.drift_alerts AS d
    WHERE
        d.patient_key = h.patient_key
        AND d.model_digest = :model_digest
        AND d.direction = 'worsening'
        AND d.opened_night < h.week_start + 7
        AND (d.resolved_night IS null OR d.resolved_night >= h.week_start)
) AS a ON true;
