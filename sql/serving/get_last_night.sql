-- The newest night that was worked on, and its counts.
SELECT
    nights.night,
    nights.n_found,
    nights.n_journals,
    nights.n_duplicates,
    nights.n_accepted,
    nights.n_warned,
    nights.n_quarantined,
    nights.n_scored,
    nights.n_patients,
    nights.n_alerts_opened
FROM affect.nights
ORDER BY nights.night DESC
LIMIT 1;
