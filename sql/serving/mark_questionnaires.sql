-- What tells whether agreement has to be worked out anew: the questionnaires one may see, and the newest night.
SELECT
    count(*) AS n_questionnaires,
    count(*) FILTER (WHERE questionnaires.problem IS NULL) AS n_answered,
    max(questionnaires.night) AS last_arrival,
    (SELECT max(nights.night) FROM affect.nights) AS last_night
FROM affect.questionnaires;
