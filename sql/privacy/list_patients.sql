-- Every patient, with the last night on which anything arrived.
SELECT
    p.patient_key,
    p.consent_withdrawn_night,
    max(heard.night) AS last_night
FROM affect.patients AS p
LEFT JOIN (
    SELECT
        d.patient_key,
        d.night
    FROM affect.deliveries AS d
    UNION ALL
    SELECT
        q.patient_key,
        q.night
    FROM affect.questionnaires AS q
) AS heard ON p.patient_key = heard.patient_key
GROUP BY p.patient_key
ORDER BY p.patient_key;
