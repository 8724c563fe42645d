-- Whether the present session may read what people wrote about alerts.
SELECT has_column_privilege('affect.alert_actions', 'comment', 'SELECT') AS reads_comments;
