-- Two model versions on the recordings that both scored. Takes :first and :second (digests, or their beginnings).
SELECT
    a.model_digest AS first_model,
    b.model_digest AS second_model,
    count(*) AS n_journals,
    corr(a.depression_logit, b.depression_logit) AS depression_correlation,
    corr(a.valence, b.valence) AS valence_correlation,
    corr(a.arousal, b.arousal) AS arousal_correlation,
    avg(b.depression_logit - a.depression_logit) AS depression_logit_shift,
    max(abs(b.depression_probability - a.depression_probability)) AS largest_probability_change
FROM affect.scores AS a
INNER JOIN affect.scores AS b
    ON a.local_day = b.local_day AND a.journal_id = b.journal_id AND a.model_digest < b.model_digest
WHERE
    a.model_digest LIKE coalesce(cast(:first AS text), '') || '%'
    AND b.model_digest LIKE coalesce(cast(:second AS text), '') || '%'
GROUP BY a.model_digest, b.model_digest
ORDER BY a.model_digest, b.model_digest;
