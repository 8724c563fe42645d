-- Every column, in the order of the CDM.
SELECT * -- noqa: AM04
FROM affect_omop.vocabulary
ORDER BY 1;
