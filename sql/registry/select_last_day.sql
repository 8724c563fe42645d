-- The last day of any journal that may be scored.
SELECT max(journals.local_day) AS last_day FROM affect.journals
WHERE journals.status IN ('accepted', 'warned');
