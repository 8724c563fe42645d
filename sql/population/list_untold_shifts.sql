-- Shifts of a night that no operator was told of since :since: a shift lasts for as many nights as the windows do, and
-- is told once.
SELECT
    shifts.dimension,
    shifts.part,
    shifts.measure,
    shifts.n_patients,
    shifts.difference,
    shifts.effect
FROM affect.population_comparisons AS shifts
WHERE
    shifts.night = :night
    AND shifts.state = 'shifted'
    AND NOT EXISTS (
        SELECT FROM affect.population_notices AS notices
        WHERE
            notices.dimension = shifts.dimension
            AND notices.part = shifts.part
            AND notices.measure = shifts.measure
            AND notices.night BETWEEN :since AND :night
    )
ORDER BY shifts.dimension, shifts.part, abs(shifts.effect) DESC, shifts.measure;
