-- First and last night on which anything arrived.
SELECT
    min(n.night) AS first_night,
    max(n.night) AS last_night
FROM affect.nights AS n;
