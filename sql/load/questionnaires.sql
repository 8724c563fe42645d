-- A questionnaire is what its delivery says, read last: whatever the order of nights, the same rows.
INSERT INTO affect.questionnaires AS t (
    delivery_key, patient_key, night, source, journal_id, questionnaire_id, instrument, answered_at, local_day, items,
    total, item_9, problem, problem_detail
)
SELECT
    s.delivery_key,
    s.patient_key,
    s.night,
    s.source,
    s.journal_id,
    s.questionnaire_id,
    s.instrument,
    s.answered_at,
    s.local_day,
    s.items,
    s.total,
    s.item_9,
    s.problem,
    s.problem_detail
FROM pg_temp.staging_questionnaires AS s
ORDER BY s.delivery_key
ON CONFLICT (delivery_key) DO UPDATE SET
    patient_key = excluded.patient_key,
    night = excluded.night,
    source = excluded.source,
    journal_id = excluded.journal_id,
    questionnaire_id = excluded.questionnaire_id,
    instrument = excluded.instrument,
    answered_at = excluded.answered_at,
    local_day = excluded.local_day,
    items = excluded.items,
    total = excluded.total,
    item_9 = excluded.item_9,
    problem = excluded.problem,
    problem_detail = excluded.problem_detail;
