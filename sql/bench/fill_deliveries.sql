-- One delivery for each made-up recording.
INSERT INTO affect.deliveries (delivery_key, night, journal_id, patient_key)
SELECT
    journals.delivery_key,
    journals.night,
    journals.journal_id,
    journals.patient_key
FROM affect.journals;
