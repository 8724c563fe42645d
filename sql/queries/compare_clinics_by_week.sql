-- Mean of one channel by clinic and week, with the change from the week before. :channel (depression), :since.
SELECT
    w.clinic,
    w.week_start,
    w.model_digest,
    w.n_patients,
    w.mean_value,
    w.sd_value,
    w.change_from_week_before
FROM affect.cohort_weeks AS w
WHERE
    w.channel = coalesce(cast(:channel AS text), 'depression')
    AND w.week_start >= coalesce(cast(:since AS date), date '-infinity')
ORDER BY w.clinic, w.model_digest, w.week_start;
