-- Answers to the PHQ-9 and PHQ-8, as they came in: with a journal, as a file of their own, or from another system.
CREATE TABLE affect.questionnaires (
    delivery_key text COLLATE "C" NOT NULL,
    patient_key text COLLATE "C" NOT NULL,
    night date NOT NULL,
    source text NOT NULL,
    journal_id text COLLATE "C",
    questionnaire_id text COLLATE "C",
    instrument text,
    answered_at timestamptz,
    local_day date NOT NULL,
    items integer[],
    total integer,
    item_9 integer,
    problem text,
    problem_detail text,
    CONSTRAINT questionnaires_pkey PRIMARY KEY (delivery_key),
    CONSTRAINT questionnaires_source_known CHECK (source IN ('journal', 'file', 'fhir')),
    CONSTRAINT questionnaires_id_is_sha256 CHECK (questionnaire_id ~ '^[0-9a-f]{64}$'),
    CONSTRAINT questionnaires_items_in_range CHECK (items <@ ARRAY[0, 1, 2, 3]),
    CONSTRAINT questionnaires_items_complete CHECK (
        items IS NULL OR cardinality(items) = CASE instrument WHEN 'PHQ-9' THEN 9 WHEN 'PHQ-8' THEN 8 END
    ),
    CONSTRAINT questionnaires_item_9_in_range CHECK (item_9 BETWEEN 0 AND 3),
    CONSTRAINT questionnaires_total_in_range CHECK (total BETWEEN 0 AND 27),
    CONSTRAINT questionnaires_answered_or_refused CHECK (
        problem IS NOT NULL
        OR (
            questionnaire_id IS NOT NULL AND instrument IS NOT NULL AND answered_at IS NOT NULL
            AND items IS NOT NULL AND total IS NOT NULL
        )
    )
);

CREATE INDEX questionnaires_patient ON affect.questionnaires (patient_key, local_day);
CREATE INDEX questionnaires_night ON affect.questionnaires (night);
CREATE INDEX questionnaires_item_9 ON affect.questionnaires (night) WHERE item_9 > 0;

COMMENT ON TABLE affect.questionnaires IS
'One row a delivered PHQ-9 or PHQ-8 questionnaire, those that were refused too. Answers that arrived twice the '
'view phq_answers shows once. A questionnaire screens; it does not diagnose.';
COMMENT ON COLUMN affect.questionnaires.delivery_key IS
'Pseudonym of the JSON file it came in (a sidecar, or a file of its own), or of its name in another system.';
COMMENT ON COLUMN affect.questionnaires.patient_key IS 'Patient who answered.';
COMMENT ON COLUMN affect.questionnaires.night IS 'Nightly run it arrived in (date of arrival).';
COMMENT ON COLUMN affect.questionnaires.source IS
'journal (in a sidecar), file (on its own) or fhir (QuestionnaireResponse).';
COMMENT ON COLUMN affect.questionnaires.journal_id IS 'Recording it came with; empty if it came alone.';
COMMENT ON COLUMN affect.questionnaires.questionnaire_id IS
'SHA-256 of instrument, moment and answers: equal answers of a patient are one. Empty if it was refused.';
COMMENT ON COLUMN affect.questionnaires.instrument IS 'PHQ-9 or PHQ-8.';
COMMENT ON COLUMN affect.questionnaires.answered_at IS 'When it was answered.';
COMMENT ON COLUMN affect.questionnaires.local_day IS
'Calendar day of the answers where the patient was; the night where answered_at is not known.';
COMMENT ON COLUMN affect.questionnaires.items IS
'Answers in the order of the form: 0 not at all, 1 several days, 2 more than half the days, 3 nearly every day.';
COMMENT ON COLUMN affect.questionnaires.total IS 'Sum of the answers.';
COMMENT ON COLUMN affect.questionnaires.item_9 IS
'Answer about thoughts of being better off dead or of self-harm; kept if readable, though the rest was refused.';
COMMENT ON COLUMN affect.questionnaires.problem IS 'Why it was refused, in snake case; empty if fine.';
COMMENT ON COLUMN affect.questionnaires.problem_detail IS 'The same for people; never quotes what was sent.';
