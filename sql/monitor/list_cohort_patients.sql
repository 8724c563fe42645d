-- The first patients, by key, with scored journals on at least :min_days days since :first_day, as known on :night.
SELECT journals.patient_key
FROM affect.journals
INNER JOIN affect.scores
    ON
        journals.journal_id = scores.journal_id
        AND journals.local_day = scores.local_day
        AND scores.model_digest = :model_digest
WHERE
    journals.local_day BETWEEN :first_day AND :night
    AND journals.night <= :night
    AND journals.status IN ('accepted', 'warned')
GROUP BY journals.patient_key
HAVING count(DISTINCT journals.local_day) >= :min_days
ORDER BY journals.patient_key
LIMIT :n_patients;
