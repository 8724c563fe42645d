-- Note what a person did with an alert.
INSERT INTO affect.alert_actions (alert_id, actor, kind, comment)
VALUES (:alert_id, :actor, :kind, :comment);
