SELECT p.patient_key
FROM affect.patients AS p
UNION
SELECT d.patient_key
FROM affect.deliveries AS d
UNION
SELECT q.patient_key
FROM affect.questionnaires AS q
UNION
SELECT v.patient_key
FROM affect.voice_keys AS v
ORDER BY patient_key;
