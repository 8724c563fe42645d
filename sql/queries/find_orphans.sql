-- Rows that point at a recording, patient or alert that is not there. An intact warehouse gives no rows.
SELECT
    'scores' AS table_name,
    s.journal_id AS row_key,
    'no such journal, or its day or patient differ' AS what_is_wrong
FROM affect.scores AS s
LEFT JOIN affect.journals AS j ON s.journal_id = j.journal_id
WHERE j.journal_id IS NULL OR (j.local_day, j.patient_key) <> (s.local_day, s.patient_key)
UNION ALL
SELECT
    'biomarkers' AS table_name,
    b.journal_id AS row_key,
    'no such journal, or its day or patient differ' AS what_is_wrong
FROM affect.biomarkers AS b
LEFT JOIN affect.journals AS j ON b.journal_id = j.journal_id
WHERE j.journal_id IS NULL OR (j.local_day, j.patient_key) <> (b.local_day, b.patient_key)
UNION ALL
SELECT
    'audio_quality' AS table_name,
    q.journal_id AS row_key,
    'no such journal' AS what_is_wrong
FROM affect.audio_quality AS q
LEFT JOIN affect.journals AS j ON q.journal_id = j.journal_id
WHERE j.journal_id IS NULL
UNION ALL
SELECT
    'journals' AS table_name,
    j.journal_id AS row_key,
    'no such patient' AS what_is_wrong
FROM affect.journals AS j
LEFT JOIN affect.patients AS p ON j.patient_key = p.patient_key
WHERE p.patient_key IS NULL
UNION ALL
SELECT
    'questionnaires' AS table_name,
    f.delivery_key AS row_key,
    'no such patient' AS what_is_wrong
FROM affect.questionnaires AS f
LEFT JOIN affect.patients AS p ON f.patient_key = p.patient_key
WHERE p.patient_key IS NULL
UNION ALL
SELECT
    'alert_actions' AS table_name,
    x.alert_id AS row_key,
    'no such alert' AS what_is_wrong
FROM affect.alert_actions AS x
LEFT JOIN affect.drift_alerts AS a ON x.alert_id = a.alert_id
WHERE a.alert_id IS NULL;
