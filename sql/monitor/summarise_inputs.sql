-- First night that brought anything, and the number of patients: neither asks for more when there are more years.
SELECT
    (SELECT min(journals.night) FROM affect.journals) AS first_night,
    (SELECT count(*) FROM affect.patients) AS n_patients
