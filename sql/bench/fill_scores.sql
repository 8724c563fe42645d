-- Scores of the usable recordings: a patient's own level, noise, and for one patient in six a change 20 days ago.
INSERT INTO affect.scores (
    local_day, journal_id, patient_key, model_digest, depression_probability, depression_logit, depression_logit_se,
    valence, valence_se, arousal, arousal_se, n_windows
)
SELECT
    made.local_day,
    made.journal_id,
    made.patient_key,
    :model_digest,
    1 / (1 + exp(-made.logit)),
    made.logit,
    0.4,
    greatest(-1, least(1, 0.2 - 0.2 * (made.logit + 1))),
    0.1,
    greatest(-1, least(1, 0.1 - 0.1 * (made.logit + 1))),
    0.1,
    4
FROM (
    SELECT
        journals.local_day,
        journals.journal_id,
        journals.patient_key,
        cast(-1.2 + draws.own + 0.8 * (draws.a + draws.b + draws.c - 1.5) AS double precision)
        + CASE
            WHEN draws.own < -0.2 AND journals.local_day > cast(:last_day AS date) - 20
                THEN 0.09 * (journals.local_day - cast(:last_day AS date) + 20)
            ELSE 0
        END AS logit
    FROM affect.journals
    CROSS JOIN
        LATERAL (
            SELECT
                (hashtextextended(journals.journal_id, cast(:seed AS bigint) + 1) & 1048575) / 1048575.0 AS a,
                (hashtextextended(journals.journal_id, cast(:seed AS bigint) + 2) & 1048575) / 1048575.0 AS b,
                (hashtextextended(journals.journal_id, cast(:seed AS bigint) + 3) & 1048575) / 1048575.0 AS c,
                0.6
                * ((hashtextextended(journals.patient_key, cast(:seed AS bigint)) & 1048575) / 1048575.0 - 0.5) AS own
        ) AS draws
    WHERE journals.local_day BETWEEN :first AND :last AND journals.status <> 'quarantined'
) AS made;
