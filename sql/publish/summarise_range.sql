-- Counts of a range of nights, for the summary of a run.
SELECT
    count(*) AS n_nights,
    coalesce(sum(n_found), 0) AS n_found,
    coalesce(sum(n_journals), 0) AS n_journals,
    coalesce(sum(n_duplicates), 0) AS n_duplicates,
    coalesce(sum(n_accepted), 0) AS n_accepted,
    coalesce(sum(n_warned), 0) AS n_warned,
    coalesce(sum(n_quarantined), 0) AS n_quarantined,
    coalesce(sum(n_scored), 0) AS n_scored,
    coalesce(sum(n_alerts_opened), 0) AS n_alerts_opened
FROM affect.nights
WHERE night BETWEEN :first_night AND :last_night;
