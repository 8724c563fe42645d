-- A tidy table for a notebook: day values with what is known of the patient. :since and :until narrow it down.
SELECT
    v.patient_key,
    p.clinic,
    p.sex,
    p.age_band,
    p.language,
    v.model_digest,
    v.channel,
    v.local_day,
    v.value,
    v.se,
    v.n_journals
FROM affect.day_values AS v
INNER JOIN affect.patients AS p ON v.patient_key = p.patient_key
WHERE
    v.local_day >= coalesce(cast(:since AS date), date '-infinity')
    AND v.local_day <= coalesce(cast(:until AS date), date 'infinity')
ORDER BY v.patient_key, v.model_digest, v.channel, v.local_day;
