SELECT
    t.cohort,
    t.week_start,
    t.measure,
    t.value,
    t.low_95,
    t.high_95,
    t.noise_sd
FROM affect.released_trends AS t
WHERE t.release_id = :release_id
ORDER BY t.cohort ASC, t.measure ASC, t.week_start ASC;
