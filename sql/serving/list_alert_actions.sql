-- What people did with an alert, oldest first.
SELECT
    alert_actions.action_id,
    alert_actions.actor,
    alert_actions.kind,
    alert_actions.comment,
    alert_actions.at
FROM affect.alert_actions
WHERE alert_actions.alert_id = :alert_id
ORDER BY alert_actions.action_id;
