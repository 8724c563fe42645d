SELECT
    j.journal_id,
    j.patient_key
FROM affect.journals AS j
ORDER BY j.journal_id;
