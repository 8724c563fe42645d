-- Patients whom the OMOP views leave out: the CDM wants a year of birth.
SELECT count(*)
FROM affect.omop_persons AS o
LEFT JOIN affect_omop.person AS p ON o.person_id = p.person_id
WHERE p.person_id IS NULL;
