INSERT INTO affect.notifications (alert_id, seq, sent_at)
VALUES (:alert_id, :seq, :sent_at)
ON CONFLICT (alert_id, seq) DO NOTHING;
