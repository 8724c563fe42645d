SELECT j.journal_id
FROM affect.journals AS j
WHERE j.night < :night
ORDER BY j.journal_id;
