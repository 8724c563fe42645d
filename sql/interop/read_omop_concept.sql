-- Every column, in the order of the CDM.
SELECT * -- noqa: AM04
FROM affect_omop.concept
ORDER BY 1;
