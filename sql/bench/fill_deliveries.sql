-- One delivery for each made-up recording of the days from :first to :last.
INSERT INTO affect.deliveries (delivery_key, night, journal_id, patient_key)
SELECT
    journals.delivery_key,
    journals.night,
    journals.journal_id,
    journals.patient_key
FROM affect.journals
WHERE journals.local_day BETWEEN :first AND :last;
