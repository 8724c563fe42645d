-- One patient, with the model version and the day that the newest judgement belongs to.
SELECT
    patients.patient_key,
    patients.clinic,
    patients.time_zone,
    patients.language,
    patients.first_night,
    patients.consent_withdrawn_night,
    newest.model_digest,
    newest.as_of_night,
    days.first_day,
    days.last_day,
    days.n_journals
FROM affect.patients
LEFT JOIN LATERAL (
    SELECT
        baselines.model_digest,
        baselines.as_of_night
    FROM affect.baselines
    WHERE baselines.patient_key = patients.patient_key
    ORDER BY baselines.as_of_night DESC, baselines.model_digest ASC
    LIMIT 1
) AS newest ON true
LEFT JOIN LATERAL (
    SELECT
        min(journals.local_day) AS first_day,
        max(journals.local_day) AS last_day,
        count(*) AS n_journals
    FROM affect.journals
    WHERE journals.patient_key = patients.patient_key
) AS days ON true
WHERE patients.patient_key = :patient_key;
