-- Counts of each night of a range, newest first.
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
WHERE nights.night BETWEEN :first_night AND :last_night
ORDER BY nights.night DESC;
