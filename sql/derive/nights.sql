-- Counts of each night from :first_night to :last_night, and of any other night that shares a recording with them: a
-- recording that counts for one night is a duplicate in the others. And of later nights that were run before: a night
-- that is run out of order changes which alerts they raise.
WITH touched AS (
    SELECT DISTINCT other.night
    FROM affect.deliveries AS d
    INNER JOIN affect.deliveries AS other ON d.journal_id = other.journal_id
    WHERE d.night BETWEEN :first_night AND :last_night
    UNION
    SELECT night.day::date
    FROM generate_series(cast(:first_night AS date), cast(:last_night AS date), interval '1 day') AS night (day)
    UNION
    SELECT n.night
    FROM affect.nights AS n
    WHERE n.night > :last_night
),

delivered AS (
    SELECT
        d.night,
        count(*) AS n_found,
        count(*) FILTER (WHERE j.delivery_key <> d.delivery_key) AS n_duplicates
    FROM affect.deliveries AS d
    INNER JOIN affect.journals AS j ON d.journal_id = j.journal_id
    WHERE d.night IN (SELECT t.night FROM touched AS t)
    GROUP BY d.night
),

scored AS (
    SELECT
        j.journal_id,
        exists(
            SELECT FROM affect.scores AS s
            WHERE s.local_day = j.local_day AND s.journal_id = j.journal_id
        ) AS has_score
    FROM affect.journals AS j
    WHERE j.night IN (SELECT t.night FROM touched AS t)
),

judged AS (
    SELECT
        j.night,
        count(*) AS n_journals,
        count(*) FILTER (WHERE j.status = 'pending') AS n_pending,
        count(*) FILTER (WHERE j.status = 'accepted') AS n_accepted,
        count(*) FILTER (WHERE j.status = 'warned') AS n_warned,
        count(*) FILTER (WHERE j.status = 'quarantined') AS n_quarantined,
        count(*) FILTER (WHERE s.has_score) AS n_scored,
        count(DISTINCT j.patient_key) AS n_patients
    FROM affect.journals AS j
    INNER JOIN scored AS s ON j.journal_id = s.journal_id
    GROUP BY j.night
),

raised AS (
    SELECT
        e.night,
        count(*) AS n_alerts_opened
    FROM affect.alert_events AS e
    WHERE e.kind = 'opened' AND e.night IN (SELECT t.night FROM touched AS t)
    GROUP BY e.night
)

INSERT INTO affect.nights (
    night, n_found, n_journals, n_duplicates, n_pending, n_accepted, n_warned, n_quarantined, n_scored, n_patients,
    n_alerts_opened
)
SELECT
    t.night,
    coalesce(d.n_found, 0),
    coalesce(j.n_journals, 0),
    coalesce(d.n_duplicates, 0),
    coalesce(j.n_pending, 0),
    coalesce(j.n_accepted, 0),
    coalesce(j.n_warned, 0),
    coalesce(j.n_quarantined, 0),
    coalesce(j.n_scored, 0),
    coalesce(j.n_patients, 0),
    coalesce(r.n_alerts_opened, 0)
FROM touched AS t
LEFT JOIN delivered AS d ON t.night = d.night
LEFT JOIN judged AS j ON t.night = j.night
LEFT JOIN raised AS r ON t.night = r.night
ORDER BY t.night
ON CONFLICT (night) DO UPDATE SET
    n_found = excluded.n_found,
    n_journals = excluded.n_journals,
    n_duplicates = excluded.n_duplicates,
    n_pending = excluded.n_pending,
    n_accepted = excluded.n_accepted,
    n_warned = excluded.n_warned,
    n_quarantined = excluded.n_quarantined,
    n_scored = excluded.n_scored,
    n_patients = excluded.n_patients,
    n_alerts_opened = excluded.n_alerts_opened;
