-- Counts of the made-up nights: every recording arrived once, and every usable one was scored.
INSERT INTO affect.nights (
    night, n_found, n_journals, n_duplicates, n_pending, n_accepted, n_warned, n_quarantined, n_scored, n_patients,
    n_alerts_opened
)
SELECT
    journals.night,
    count(*),
    count(*),
    0,
    0,
    count(*) FILTER (WHERE journals.status = 'accepted'),
    count(*) FILTER (WHERE journals.status = 'warned'),
    count(*) FILTER (WHERE journals.status = 'quarantined'),
    count(*) FILTER (WHERE journals.status <> 'quarantined'),
    count(*),
    (
        SELECT count(*)
        FROM affect.alert_events
        WHERE alert_events.night = journals.night AND alert_events.kind = 'opened'
    )
FROM affect.journals
WHERE journals.local_day BETWEEN :first AND :last
GROUP BY journals.night;
