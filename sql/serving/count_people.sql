-- How many people have access.
SELECT count(*) AS n_people
FROM affect.people
WHERE active;
