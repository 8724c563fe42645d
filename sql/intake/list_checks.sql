-- What the quality contract said about one recording.
SELECT
    c.expectation,
    c.metric,
    c.value,
    c.verdict,
    c.suite_version
FROM affect.quality_checks AS c
WHERE c.journal_id = :journal_id
ORDER BY c.suite_version DESC, c.verdict, c.expectation;
