-- Every delivery with its patient and recording.
SELECT
    d.delivery_key,
    d.patient_key,
    d.journal_id
FROM affect.deliveries AS d
ORDER BY d.delivery_key;
