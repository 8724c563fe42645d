-- Scores of the same journals by two models.
SELECT
    champion.patient_key,
    champion.journal_id,
    champion.local_day,
    champion.depression_logit AS champion_depression_logit,
    challenger.depression_logit AS challenger_depression_logit,
    champion.depression_probability AS champion_depression_probability,
    challenger.depression_probability AS challenger_depression_probability,
    champion.valence AS champion_valence,
    challenger.valence AS challenger_valence,
    champion.arousal AS champion_arousal,
    challenger.arousal AS challenger_arousal
FROM affect.scores AS champion
INNER JOIN affect.scores AS challenger
    ON
        champion.local_day = challenger.local_day
        AND champion.journal_id = challenger.journal_id
WHERE
    champion.model_digest = :champion
    AND challenger.model_digest = :challenger
    AND champion.local_day BETWEEN :since AND :until
ORDER BY champion.patient_key, champion.local_day, champion.journal_id;
