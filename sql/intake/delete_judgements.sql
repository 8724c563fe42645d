-- What an earlier judgement of some recordings left behind: verdicts of this suite, and for recordings that are now in
-- quarantine also their biomarkers and scores.
WITH deleted_checks AS (
    DELETE FROM affect.quality_checks AS t
    WHERE t.journal_id = any(cast(:journal_ids AS text[])) AND t.suite_version = :suite_version
),

deleted_biomarkers AS (
    DELETE FROM affect.biomarkers AS t
    USING affect.journals AS j
    WHERE
        j.journal_id = any(cast(:quarantined_ids AS text[]))
        AND t.local_day = j.local_day AND t.journal_id = j.journal_id
)

DELETE FROM affect.scores AS t
USING affect.journals AS j
WHERE
    j.journal_id = any(cast(:quarantined_ids AS text[]))
    AND t.local_day = j.local_day AND t.journal_id = j.journal_id;
