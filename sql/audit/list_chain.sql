-- The chain after an event, in order, with the text that each hash covers.
SELECT
    e.seq,
    e.previous,
    e.hash,
    affect_private.audit_content(e) AS content
FROM affect.audit_events AS e
WHERE e.seq > :after
ORDER BY e.seq
LIMIT :page_size;
