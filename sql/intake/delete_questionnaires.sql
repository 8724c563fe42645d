-- Questionnaires of deliveries that were read again and hold none any more.
DELETE FROM affect.questionnaires AS q
WHERE q.delivery_key = any(cast(:delivery_keys AS text[]));
