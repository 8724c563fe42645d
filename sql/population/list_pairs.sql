-- Both means of at most :max_pairs patients of one part of the cohort, in the order of their usual level: nothing says
-- whose they are.
SELECT
    chosen.reference_mean,
    chosen.current_mean
FROM (
    SELECT
        compared.reference_mean,
        compared.current_mean
    FROM pg_temp.population_patients AS compared
    WHERE
        compared.is_paired
        AND compared.dimension = :dimension
        AND compared.part = :part
        AND compared.measure = :measure
    ORDER BY compared.patient_key
    LIMIT :max_pairs
) AS chosen
ORDER BY chosen.reference_mean, chosen.current_mean;
