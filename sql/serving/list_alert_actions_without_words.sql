-- The same for analysts, who do not read what people wrote in their own words.
SELECT
    alert_actions.action_id,
    alert_actions.actor,
    alert_actions.kind,
    cast(NULL AS text) AS comment,
    alert_actions.at
FROM affect.alert_actions
WHERE alert_actions.alert_id = :alert_id
ORDER BY alert_actions.action_id;
