-- The counts of each night, the newest first. :since narrows it down.
SELECT
    n.night,
    n.n_found,
    n.n_journals,
    n.n_duplicates,
    n.n_accepted,
    n.n_warned,
    n.n_quarantined,
    n.n_scored,
    n.n_patients,
    n.n_alerts_opened
FROM affect.nights AS n
WHERE n.night >= coalesce(cast(:since AS date), date '-infinity')
ORDER BY n.night DESC;
