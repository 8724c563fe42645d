-- An event that is computed again is the same event.
INSERT INTO affect.alert_events AS t (alert_id, seq, night, kind, severity, score, explanation)
SELECT
    s.alert_id,
    s.seq,
    s.night,
    s.kind,
    s.severity,
    s.score,
    s.explanation
FROM pg_temp.staging_alert_events AS s
ORDER BY s.alert_id, s.seq
ON CONFLICT (alert_id, seq) DO UPDATE SET
    night = excluded.night,
    kind = excluded.kind,
    severity = excluded.severity,
    score = excluded.score,
    explanation = excluded.explanation
-- Writing a row that is there already would cost as much as a change.
WHERE
(
    t.night, t.kind, t.severity, t.score, t.explanation
) IS DISTINCT FROM (
    excluded.night, excluded.kind, excluded.severity, excluded.score, excluded.explanation
);
