-- Every patient, with the last night on which anything arrived.
SELECT
    p.patient_key,
    p.consent_withdrawn_night,
    max(d.night) AS last_night
FROM affect.patients AS p
LEFT JOIN affect.deliveries AS d ON p.patient_key = d.patient_key
GROUP BY p.patient_key
ORDER BY p.patient_key;
