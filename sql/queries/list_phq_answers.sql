-- Questionnaires of the patients, newest first, each answer once.
SELECT
    a.patient_key,
    a.local_day,
    a.instrument,
    a.total,
    a.phq8,
    a.item_9,
    a.items,
    a.night,
    a.source
FROM affect.phq_answers AS a
WHERE
    (cast(:patient_key AS text) IS NULL OR starts_with(a.patient_key, :patient_key))
    AND a.local_day >= coalesce(cast(:since AS date), '-infinity')
ORDER BY a.local_day DESC, a.patient_key, a.answered_at DESC;
