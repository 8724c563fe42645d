-- A delivery that was read again and now holds something else: what it held before goes, with all that was derived
-- from it, unless it arrived in another delivery too. (A file that cannot be read has its own identity until it can.)
WITH superseded AS (
    DELETE FROM affect.journals AS j
    USING affect.deliveries AS d
    WHERE
        d.delivery_key = any(cast(:delivery_keys AS text[]))
        AND j.delivery_key = d.delivery_key
        AND j.journal_id <> d.journal_id
        AND NOT EXISTS (
            SELECT FROM affect.deliveries AS other
            WHERE other.journal_id = j.journal_id
        )
    RETURNING j.journal_id, j.local_day
),

deleted_quality AS (
    DELETE FROM affect.audio_quality AS t USING superseded AS s
    WHERE t.journal_id = s.journal_id
),

deleted_checks AS (
    DELETE FROM affect.quality_checks AS t USING superseded AS s
    WHERE t.journal_id = s.journal_id
),

deleted_biomarkers AS (
    DELETE FROM affect.biomarkers AS t USING superseded AS s
    WHERE t.local_day = s.local_day AND t.journal_id = s.journal_id
)

DELETE FROM affect.scores AS t USING superseded AS s
WHERE t.local_day = s.local_day AND t.journal_id = s.journal_id;
