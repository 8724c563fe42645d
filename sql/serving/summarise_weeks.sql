-- Recordings and alerts of each week: who still records, and how much there is to do.
SELECT
    cast(date_trunc('week', journals.local_day) AS date) AS week,
    count(DISTINCT journals.patient_key) AS n_patients,
    count(*) AS n_journals,
    count(*) FILTER (WHERE journals.status = 'quarantined') AS n_quarantined
FROM affect.journals
WHERE journals.local_day BETWEEN :first_day AND :last_day
GROUP BY week
ORDER BY week;
