-- A person by name, for installations where somebody else (Airflow) has checked who it is.
SELECT
    people.login,
    people.display_name,
    people.role,
    people.clinics,
    people.sees,
    'everything' AS scope
FROM affect.people
WHERE people.login = :login AND people.active;
