-- What files may call a patient: the pseudonym, and those of recordings and deliveries, with the nights they came in.
SELECT
    d.journal_id,
    d.delivery_key,
    d.night
FROM affect.deliveries AS d
WHERE d.patient_key = :patient_key
UNION
SELECT
    j.journal_id,
    j.delivery_key,
    j.night
FROM affect.journals AS j
WHERE j.patient_key = :patient_key
ORDER BY journal_id, delivery_key;
