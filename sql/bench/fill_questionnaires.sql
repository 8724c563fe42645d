-- A PHQ-9 every fourteen days from :first to :last, on days with a recording. It follows the score of the day, in whole
-- points; who answers high now and then answers the ninth question, too.
WITH asked AS (
    SELECT
        scores.patient_key,
        scores.local_day,
        scores.depression_logit,
        get_byte(sha256(convert_to(scores.patient_key || scores.local_day, 'UTF8')), 0) AS chance
    FROM affect.scores
    WHERE
        scores.local_day BETWEEN :first AND :last
        AND (scores.local_day - date '2000-01-01' + get_byte(decode(scores.patient_key, 'hex'), 0)) % 14 = 0
),

levels AS (
    SELECT
        asked.*,
        greatest(0, least(24, round(4 + 5 * (asked.depression_logit + 1.2) + (asked.chance % 5) - 2)))::integer AS phq8
    FROM asked
),

answered AS (
    SELECT
        levels.*,
        CASE WHEN levels.phq8 >= 9 AND levels.chance % 3 = 0 THEN 1 ELSE 0 END AS item_9,
        (
            SELECT array_agg(levels.phq8 / 8 + (place <= levels.phq8 % 8)::integer ORDER BY place)
            FROM generate_series(1, 8) AS place
        ) AS first_eight
    FROM levels
)

INSERT INTO affect.questionnaires (
    delivery_key, patient_key, night, source, questionnaire_id, instrument, answered_at, local_day, items, total, item_9
)
SELECT
    left(encode(sha256(convert_to('phq ' || answered.patient_key || answered.local_day, 'UTF8')), 'hex'), 32),
    answered.patient_key,
    answered.local_day + 1,
    'file',
    encode(sha256(convert_to('answers ' || answered.patient_key || answered.local_day, 'UTF8')), 'hex'),
    'PHQ-9',
    (answered.local_day + time '18:00') AT TIME ZONE 'UTC',
    answered.local_day,
    answered.first_eight || answered.item_9,
    answered.phq8 + answered.item_9,
    answered.item_9
FROM answered;
