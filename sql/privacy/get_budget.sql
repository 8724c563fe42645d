-- The budget that counts, and what was spent of it; no row where none was set.
SELECT
    b.epsilon,
    b.delta,
    b.rho::text AS rho,
    (SELECT coalesce(sum(r.rho), 0)::text FROM affect.privacy_releases AS r) AS spent_rho,
    (SELECT count(*) FROM affect.privacy_releases) AS n_releases
FROM affect.privacy_budgets AS b
ORDER BY b.budget_id DESC
LIMIT 1;
