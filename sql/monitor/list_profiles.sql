-- Cohort profiles of a model version.
SELECT
    cohort_profiles.as_of_night,
    cohort_profiles.profile
FROM affect.cohort_profiles
WHERE cohort_profiles.model_digest = :model_digest
ORDER BY cohort_profiles.as_of_night;
