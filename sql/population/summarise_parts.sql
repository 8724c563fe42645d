-- One row a part of the cohort and measure that was heard in the current window: paired differences over patients.
SELECT
    compared.dimension,
    compared.part,
    compared.measure,
    count(*) FILTER (WHERE compared.is_heard) AS n_current,
    count(*) FILTER (WHERE compared.is_paired) AS n_patients,
    avg(compared.reference_mean) FILTER (WHERE compared.is_paired) AS reference_mean,
    avg(compared.current_mean) FILTER (WHERE compared.is_paired) AS current_mean,
    stddev_samp(compared.current_mean - compared.reference_mean) FILTER (
        WHERE compared.is_paired
    ) AS sd_of_differences,
    sqrt(avg(compared.reference_variance) FILTER (WHERE compared.is_paired)) AS within_sd
FROM pg_temp.population_patients AS compared
GROUP BY compared.dimension, compared.part, compared.measure
HAVING count(*) FILTER (WHERE compared.is_heard) > 0
ORDER BY compared.dimension, compared.part, compared.measure;
