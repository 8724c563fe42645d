-- Everybody who has access, with how many patients each was assigned.
SELECT
    people.login,
    people.display_name,
    people.role,
    people.clinics,
    people.sees,
    count(care_assignments.patient_key) AS n_assigned
FROM affect.people
LEFT JOIN affect.care_assignments ON people.login = care_assignments.login
WHERE people.active
GROUP BY people.login, people.display_name, people.role, people.clinics, people.sees
ORDER BY people.login;
