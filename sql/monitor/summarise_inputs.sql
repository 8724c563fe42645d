-- First night that brought anything, last night with anything, and the number of patients.
SELECT
    min(journals.night) AS first_night,
    max(journals.night) AS last_night,
    count(DISTINCT journals.patient_key) AS n_patients
FROM affect.journals
