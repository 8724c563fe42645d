-- One page of alerts: those nobody has looked at first, then by severity and strength of evidence.
WITH alerts AS (
    SELECT
        drift_alerts.alert_id,
        drift_alerts.patient_key,
        drift_alerts.kind,
        drift_alerts.direction,
        drift_alerts.severity,
        drift_alerts.opened_night,
        drift_alerts.opened_day,
        drift_alerts.onset_day,
        drift_alerts.onset_low,
        drift_alerts.onset_high,
        drift_alerts.last_night,
        drift_alerts.resolved_night,
        drift_alerts.channels,
        drift_alerts.explanation,
        drift_alerts.evidence,
        drift_alerts.model_digest,
        patients.clinic,
        patients.time_zone,
        newest.actor AS last_actor,
        newest.kind AS last_action,
        newest.at AS last_action_at,
        coalesce(drift_alerts.score, 0) AS score,
        CASE
            WHEN drift_alerts.state = 'resolved' THEN 'resolved'
            WHEN newest.kind = 'resolved' THEN 'resolved'
            WHEN newest.kind = 'acknowledged' THEN 'acknowledged'
            ELSE 'new'
        END AS state,
        coalesce(
            array_position(cast(ARRAY['low', 'moderate', 'high', 'urgent'] AS text[]), drift_alerts.severity), 0
        ) AS severity_rank
    FROM affect.drift_alerts
    INNER JOIN affect.patients ON drift_alerts.patient_key = patients.patient_key
    LEFT JOIN LATERAL (
        SELECT
            alert_actions.actor,
            alert_actions.kind,
            alert_actions.at
        FROM affect.alert_actions
        WHERE alert_actions.alert_id = drift_alerts.alert_id AND alert_actions.kind IN ('acknowledged', 'resolved')
        ORDER BY alert_actions.action_id DESC
        LIMIT 1
    ) AS newest ON true
    WHERE
        (cast(:alert_id AS text) IS NULL OR drift_alerts.alert_id = :alert_id)
        AND (cast(:patient_key AS text) IS NULL OR drift_alerts.patient_key = :patient_key)
        AND (NOT cast(:open_only AS boolean) OR drift_alerts.state = 'open')
        AND (cast(:clinic AS text) IS NULL OR patients.clinic = :clinic)
        AND (cast(:severity AS text) IS NULL OR drift_alerts.severity = :severity)
        AND (cast(:since_night AS date) IS NULL OR drift_alerts.opened_night >= :since_night)
),

page AS (
    SELECT alerts.*
    FROM alerts
    WHERE
        (cast(:states AS text[]) IS NULL OR alerts.state = any(cast(:states AS text[])))
        AND (
            cast(:after_rank AS integer) IS NULL
            OR (alerts.severity_rank, alerts.score, alerts.alert_id)
            < (cast(:after_rank AS integer), cast(:after_score AS double precision), cast(:after_id AS text))
        )
    ORDER BY alerts.severity_rank DESC, alerts.score DESC, alerts.alert_id DESC
    LIMIT :page_size
)

SELECT
    page.*,
    care.looked_after_by
FROM page
LEFT JOIN LATERAL (
    SELECT array_agg(people.display_name ORDER BY people.display_name) AS looked_after_by
    FROM affect.care_assignments
    INNER JOIN affect.people ON care_assignments.login = people.login
    WHERE care_assignments.patient_key = page.patient_key
) AS care ON true
ORDER BY page.severity_rank DESC, page.score DESC, page.alert_id DESC;
