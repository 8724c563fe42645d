-- Answers that were taken, each once.
CREATE VIEW affect.phq_answers WITH (security_invoker = true) AS
SELECT DISTINCT ON (q.patient_key, q.questionnaire_id)
    q.patient_key,
    q.questionnaire_id,
    q.instrument,
    q.answered_at,
    q.local_day,
    q.items,
    q.total,
    q.total - coalesce(q.item_9, 0) AS phq8,
    q.item_9,
    q.night,
    q.source,
    q.journal_id
FROM affect.questionnaires AS q
WHERE q.problem IS NULL
ORDER BY q.patient_key, q.questionnaire_id, q.night, q.delivery_key;

COMMENT ON VIEW affect.phq_answers IS
'PHQ-9 and PHQ-8 answers, each once however often they arrived, with the night they first arrived. phq8 is the sum of '
'the first eight items, the same for both instruments. A screening questionnaire, not a diagnosis.';

-- The ninth question, answered with more than "not at all": also where the rest of the answers was refused.
CREATE VIEW affect.self_harm_answers WITH (security_invoker = true) AS
SELECT DISTINCT ON (q.patient_key)
    q.patient_key,
    q.night,
    q.local_day,
    q.item_9,
    q.problem
FROM affect.questionnaires AS q
WHERE q.item_9 > 0
ORDER BY q.patient_key, q.night DESC, q.local_day DESC, q.item_9 DESC, q.delivery_key;

COMMENT ON VIEW affect.self_harm_answers IS
'Patients who answered the ninth question of the PHQ-9 (thoughts of being better off dead or of self-harm) with more '
'than "not at all": the answer that arrived last, 1 to 3. problem says why the rest was refused, if it was.';
