-- The newest night whose recordings as a whole were compared with the weeks before, and what came of it.
SELECT
    found.night,
    count(*) FILTER (WHERE found.state <> 'too_little_data') AS n_compared,
    count(*) FILTER (WHERE found.state = 'too_little_data') AS n_too_little_data,
    count(*) FILTER (WHERE found.state = 'shifted') AS n_shifted,
    min(found.reason) AS example_reason
FROM affect.population_comparisons AS found
WHERE found.night = (SELECT max(newest.night) FROM affect.population_comparisons AS newest)
GROUP BY found.night;
