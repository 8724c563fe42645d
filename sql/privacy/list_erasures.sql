SELECT
    e.patient_digest,
    e.through_night
FROM affect.erasures AS e
ORDER BY e.patient_digest;
