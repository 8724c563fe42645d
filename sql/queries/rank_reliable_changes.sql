-- Patients whose newest week differs most from their own baseline, in standard errors. :channel, :at_least (1.96).
SELECT
    c.patient_key,
    p.clinic,
    c.channel,
    c.baseline_mean,
    c.recent_mean,
    c.n_recent,
    c.reliable_change_index
FROM affect.reliable_change AS c
INNER JOIN affect.patients AS p ON c.patient_key = p.patient_key
WHERE
    abs(c.reliable_change_index) >= coalesce(cast(:at_least AS double precision), 1.96)
    AND (cast(:channel AS text) IS NULL OR c.channel = :channel)
ORDER BY abs(c.reliable_change_index) DESC, c.patient_key, c.channel;
