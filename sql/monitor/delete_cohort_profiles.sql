-- Forget what was derived for a model version: it is about to be derived anew.
DELETE FROM affect.cohort_profiles
WHERE cohort_profiles.model_digest = :model_digest;
