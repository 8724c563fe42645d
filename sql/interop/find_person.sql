SELECT o.person_id FROM affect.omop_persons AS o
WHERE o.patient_key = :patient_key;
