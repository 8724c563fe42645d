-- Which alerts people have been told of. No foreign key: events are derived anew when a night is
-- run again, and who was told once must not be told again.
CREATE TABLE affect.notifications (
    alert_id text NOT NULL,
    seq integer NOT NULL,
    sent_at timestamptz NOT NULL,
    CONSTRAINT notifications_pkey PRIMARY KEY (alert_id, seq)
);

COMMENT ON TABLE affect.notifications IS
'[clock] Alert events that people have been told of, so that a run done again tells nobody twice.';
COMMENT ON COLUMN affect.notifications.alert_id IS 'Alert.';
COMMENT ON COLUMN affect.notifications.seq IS 'Event of the alert, as in alert_events.';
COMMENT ON COLUMN affect.notifications.sent_at IS 'When the message went out.';
