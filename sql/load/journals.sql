-- Of several deliveries of one recording the least (night, delivery_key) counts, whatever the order they are loaded in.

-- 1. A recording that now counts for another day or patient takes its scores and biomarkers along.
WITH moved AS (
    SELECT
        j.journal_id,
        j.local_day AS old_day,
        c.local_day AS new_day,
        c.patient_key
    FROM pg_temp.staging_journals AS c
    INNER JOIN affect.journals AS j ON c.journal_id = j.journal_id
    WHERE
        (c.night, c.delivery_key) <= (j.night, j.delivery_key)
        AND (c.local_day, c.patient_key) IS DISTINCT FROM (j.local_day, j.patient_key)
        AND NOT EXISTS (
            SELECT FROM pg_temp.staging_journals AS earlier
            WHERE
                earlier.journal_id = c.journal_id
                AND (earlier.night, earlier.delivery_key) < (c.night, c.delivery_key)
        )
),

moved_scores AS (
    UPDATE affect.scores AS t
    SET local_day = m.new_day, patient_key = m.patient_key
    FROM moved AS m
    WHERE t.local_day = m.old_day AND t.journal_id = m.journal_id
)

UPDATE affect.biomarkers AS t
SET local_day = m.new_day, patient_key = m.patient_key
FROM moved AS m
WHERE t.local_day = m.old_day AND t.journal_id = m.journal_id;

-- 2. The recordings themselves. What they were judged to be stays until they are judged again.
INSERT INTO affect.journals AS j (
    journal_id, patient_key, night, delivery_key, recorded_at, local_day, time_zone, device, prompt, language, clinic,
    n_bytes, audio_format, problem
)
SELECT DISTINCT ON (s.journal_id)
    s.journal_id,
    s.patient_key,
    s.night,
    s.delivery_key,
    s.recorded_at,
    s.local_day,
    s.time_zone,
    s.device,
    s.prompt,
    s.language,
    s.clinic,
    s.n_bytes,
    s.audio_format,
    s.problem
FROM pg_temp.staging_journals AS s
ORDER BY s.journal_id, s.night, s.delivery_key
ON CONFLICT (journal_id) DO UPDATE SET
    patient_key = excluded.patient_key,
    night = excluded.night,
    delivery_key = excluded.delivery_key,
    recorded_at = excluded.recorded_at,
    local_day = excluded.local_day,
    time_zone = excluded.time_zone,
    device = excluded.device,
    prompt = excluded.prompt,
    language = excluded.language,
    clinic = excluded.clinic,
    n_bytes = excluded.n_bytes,
    audio_format = excluded.audio_format,
    problem = excluded.problem
WHERE (excluded.night, excluded.delivery_key) <= (j.night, j.delivery_key);

-- 3. Verdicts, where the rows bring some.
UPDATE affect.journals AS j SET
    status = s.status,
    failed = coalesce(s.failed, '{}'),
    warned = coalesce(s.warned, '{}')
FROM pg_temp.staging_journals AS s
WHERE s.journal_id = j.journal_id AND s.delivery_key = j.delivery_key AND s.status IS NOT NULL;
