DELETE FROM affect.population_comparisons
WHERE night = :night;
