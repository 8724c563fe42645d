-- Patients whose recordings of one night were all quarantined: heard, but not judged.
SELECT
    journals.patient_key,
    count(*) AS n_journals,
    min(journals.failed[1]) AS reason
FROM affect.journals
WHERE journals.night = :night
GROUP BY journals.patient_key
HAVING bool_and(journals.status = 'quarantined')
ORDER BY journals.patient_key
LIMIT :page_size;
