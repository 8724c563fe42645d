-- The profile comes from the delivery with the greatest (profile_at, profile_delivery); one without a time is the
-- oldest. Nights keep their least. So the order in which deliveries are loaded does not matter.
INSERT INTO affect.patients AS p (patient_key, first_night, consent_withdrawn_night)
SELECT
    s.patient_key,
    min(s.first_night),
    min(s.consent_withdrawn_night)
FROM pg_temp.staging_patients AS s
GROUP BY s.patient_key
ORDER BY s.patient_key
ON CONFLICT (patient_key) DO UPDATE SET
    first_night = least(p.first_night, excluded.first_night),
    consent_withdrawn_night = least(p.consent_withdrawn_night, excluded.consent_withdrawn_night);

WITH newest AS (
    SELECT DISTINCT ON (s.patient_key) s.*
    FROM pg_temp.staging_patients AS s
    ORDER BY s.patient_key, coalesce(s.profile_at, '-infinity') DESC, coalesce(s.profile_delivery, '') DESC
)

UPDATE affect.patients AS p SET
    clinic = n.clinic,
    time_zone = n.time_zone,
    language = n.language,
    sex = n.sex,
    age_band = n.age_band,
    profile_at = n.profile_at,
    profile_delivery = n.profile_delivery
FROM newest AS n
WHERE
    n.patient_key = p.patient_key
    AND (coalesce(n.profile_at, '-infinity'), coalesce(n.profile_delivery, ''))
    >= (coalesce(p.profile_at, '-infinity'), coalesce(p.profile_delivery, ''));
