-- The night was emptied before: what is compared again may be fewer parts than before.
INSERT INTO affect.population_comparisons (
    night, dimension, part, measure, state, reason, n_current, n_patients, reference_mean, current_mean, difference,
    effect, p_value, threshold
)
SELECT
    s.night,
    s.dimension,
    s.part,
    s.measure,
    s.state,
    s.reason,
    s.n_current,
    s.n_patients,
    s.reference_mean,
    s.current_mean,
    s.difference,
    s.effect,
    s.p_value,
    s.threshold
FROM pg_temp.staging_population_comparisons AS s
ORDER BY s.night, s.dimension, s.part, s.measure;
