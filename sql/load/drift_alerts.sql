-- An alert that goes on is updated in place; its history is in alert_events.
INSERT INTO affect.drift_alerts AS t (
    alert_id, patient_key, model_digest, kind, direction, severity, state, opened_night, opened_day,
    onset_day, onset_low, onset_high, last_night, resolved_night, score, channels, explanation, evidence
)
SELECT
    s.alert_id,
    s.patient_key,
    s.model_digest,
    s.kind,
    s.direction,
    s.severity,
    s.state,
    s.opened_night,
    s.opened_day,
    s.onset_day,
    s.onset_low,
    s.onset_high,
    s.last_night,
    s.resolved_night,
    s.score,
    s.channels,
    s.explanation,
    s.evidence
FROM pg_temp.staging_drift_alerts AS s
ORDER BY s.alert_id
ON CONFLICT (alert_id) DO UPDATE SET
    patient_key = excluded.patient_key,
    model_digest = excluded.model_digest,
    kind = excluded.kind,
    direction = excluded.direction,
    severity = excluded.severity,
    state = excluded.state,
    opened_night = excluded.opened_night,
    opened_day = excluded.opened_day,
    onset_day = excluded.onset_day,
    onset_low = excluded.onset_low,
    onset_high = excluded.onset_high,
    last_night = excluded.last_night,
    resolved_night = excluded.resolved_night,
    score = excluded.score,
    channels = excluded.channels,
    explanation = excluded.explanation,
    evidence = excluded.evidence
-- Writing a row that is there already would cost as much as a change.
WHERE
(
    t.patient_key, t.model_digest, t.kind, t.direction, t.severity, t.state, t.opened_night,
    t.opened_day, t.onset_day, t.onset_low, t.onset_high, t.last_night, t.resolved_night, t.score,
    t.channels, t.explanation, t.evidence
) IS DISTINCT FROM (
    excluded.patient_key, excluded.model_digest, excluded.kind, excluded.direction,
    excluded.severity, excluded.state, excluded.opened_night, excluded.opened_day,
    excluded.onset_day, excluded.onset_low, excluded.onset_high, excluded.last_night,
    excluded.resolved_night, excluded.score, excluded.channels, excluded.explanation,
    excluded.evidence
);
