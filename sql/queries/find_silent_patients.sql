-- Patients who have not recorded for at least :days (7) days before the newest night, the longest silence first.
SELECT
    s.patient_key,
    s.clinic,
    s.state,
    s.last_recorded_day,
    newest.night - s.last_recorded_day AS days_silent
FROM affect.patient_state AS s
CROSS JOIN (SELECT max(n.night) AS night FROM affect.nights AS n) AS newest
WHERE
    s.state <> 'consent_withdrawn'
    AND newest.night - s.last_recorded_day >= coalesce(cast(:days AS integer), 7)
ORDER BY days_silent DESC, s.patient_key;
