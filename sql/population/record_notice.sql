INSERT INTO affect.population_notices (night, dimension, part, measure, sent_at)
VALUES (:night, :dimension, :part, :measure, :sent_at)
ON CONFLICT (night, dimension, part, measure) DO NOTHING;
