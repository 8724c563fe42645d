-- The newest events, of one patient or person or all.
SELECT
    e.seq,
    e.at,
    e.actor,
    e.action,
    s.patient_key,
    e.subject,
    e.detail
FROM affect.audit_events AS e
LEFT JOIN affect_private.list_audit_subjects() AS s ON e.subject = s.subject
WHERE
    (cast(:patient_key AS text) IS NULL OR s.patient_key = :patient_key)
    AND (cast(:actor AS text) IS NULL OR e.actor = :actor)
    AND (cast(:action AS text) IS NULL OR e.action = :action)
ORDER BY e.seq DESC
LIMIT :limit_rows;
