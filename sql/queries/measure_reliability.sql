-- Test-retest reliability of each channel: ICC, standard error of a day value, minimal detectable change.
SELECT
    r.model_digest,
    r.channel,
    r.n_patients,
    r.n_values,
    r.icc,
    r.standard_error_of_measurement,
    r.minimal_detectable_change
FROM affect.channel_reliability AS r
ORDER BY r.model_digest, r.channel;
