-- Every delivery with its patient and recording; of questionnaires also those that came alone.
SELECT
    d.delivery_key,
    d.patient_key,
    d.journal_id
FROM affect.deliveries AS d
UNION ALL
SELECT
    q.delivery_key,
    q.patient_key,
    NULL AS journal_id
FROM affect.questionnaires AS q
ORDER BY delivery_key;
