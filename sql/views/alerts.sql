-- Alerts as the care team works on them. All views run with the rights of who asks (security_invoker): row-level
-- security holds in them as in the tables.
CREATE VIEW affect.ranked_alerts WITH (security_invoker = true) AS
WITH acted_on AS (
    SELECT
        a.*,
        last_action.actor AS last_actor,
        last_action.kind AS last_action,
        last_action.at AS last_action_at,
        CASE
            WHEN a.state = 'resolved' OR last_action.kind = 'resolved' THEN 'resolved'
            WHEN last_action.kind IS NULL THEN 'new'
            ELSE 'acknowledged'
        END AS work_state
    FROM affect.drift_alerts AS a
    LEFT JOIN LATERAL (
        SELECT
            x.actor,
            x.kind,
            x.at
        FROM affect.alert_actions AS x
        WHERE x.alert_id = a.alert_id AND x.kind <> 'commented'
        ORDER BY x.action_id DESC
        LIMIT 1
    ) AS last_action ON true
)

SELECT
    a.alert_id,
    a.patient_key,
    p.clinic,
    p.time_zone,
    a.kind,
    a.direction,
    a.severity,
    a.score,
    a.opened_night,
    a.opened_day,
    a.onset_day,
    a.onset_low,
    a.onset_high,
    a.last_night,
    a.resolved_night,
    a.explanation,
    a.model_digest,
    a.last_actor,
    a.last_action,
    a.last_action_at,
    a.work_state AS state,
    CASE
        WHEN a.work_state <> 'resolved'
            THEN
                rank() OVER (
                    PARTITION BY p.clinic, (a.work_state = 'resolved')
                    ORDER BY a.score DESC, a.alert_id ASC
                )
    END AS rank_in_clinic
FROM acted_on AS a
LEFT JOIN affect.patients AS p ON a.patient_key = p.patient_key;

COMMENT ON VIEW affect.ranked_alerts IS
'Alerts with what people did about them: state is new, acknowledged or resolved (by the machine or a person); '
'rank_in_clinic orders what is still open, the most urgent first.';
