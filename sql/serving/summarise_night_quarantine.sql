-- Patients whose recordings of one night were all quarantined: heard, but not judged. The night is read first, by its
-- own index: in the order of patients, all their years would be read.
WITH of_the_night AS MATERIALIZED (
    SELECT
        journals.patient_key,
        journals.status,
        journals.failed
    FROM affect.journals
    WHERE journals.night = :night
)

SELECT
    of_the_night.patient_key,
    count(*) AS n_journals,
    min(of_the_night.failed[1]) AS reason
FROM of_the_night
GROUP BY of_the_night.patient_key
HAVING bool_and(of_the_night.status = 'quarantined')
ORDER BY of_the_night.patient_key
LIMIT :page_size;
