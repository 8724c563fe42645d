-- What had shifted in the recordings as a whole on one night, the largest first.
SELECT
    shifts.dimension,
    shifts.part,
    shifts.measure,
    shifts.n_patients,
    shifts.reference_mean,
    shifts.current_mean,
    shifts.difference,
    shifts.effect,
    shifts.p_value
FROM affect.population_comparisons AS shifts
WHERE shifts.night = :night AND shifts.state = 'shifted'
ORDER BY abs(shifts.effect) DESC, shifts.dimension, shifts.part, shifts.measure
LIMIT :page_size;
