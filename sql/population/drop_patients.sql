DROP TABLE pg_temp.population_patients;
