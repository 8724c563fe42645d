TRUNCATE TABLE affect.scores;
