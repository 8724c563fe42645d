-- A recording that is judged again by the same suite gets the new verdicts.
INSERT INTO affect.quality_checks AS t (journal_id, suite_version, expectation, metric, value, verdict)
SELECT
    s.journal_id,
    s.suite_version,
    s.expectation,
    s.metric,
    s.value,
    s.verdict
FROM pg_temp.staging_quality_checks AS s
ORDER BY s.journal_id, s.suite_version, s.expectation
ON CONFLICT (journal_id, suite_version, expectation) DO UPDATE SET
    metric = excluded.metric,
    value = excluded.value,
    verdict = excluded.verdict
-- Writing a row that is there already would cost as much as a change.
WHERE
(
    t.metric, t.value, t.verdict
) IS DISTINCT FROM (
    excluded.metric, excluded.value, excluded.verdict
);
