INSERT INTO affect.privacy_budgets (actor, epsilon, delta, rho, reason)
VALUES (:actor, :epsilon, :delta, :rho, :reason)
RETURNING budget_id;
