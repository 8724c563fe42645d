-- Every column, in the order of the CDM.
SELECT * -- noqa: AM04
FROM affect_omop.person
WHERE cast(:person_id AS integer) IS NULL OR person_id = :person_id
ORDER BY person_id;
