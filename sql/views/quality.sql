-- How well the recordings can be trusted, and what stands in quarantine.
CREATE VIEW affect.quality_by_device WITH (security_invoker = true) AS
SELECT
    j.clinic,
    j.device,
    date_trunc('week', j.night)::date AS week_start,
    count(*) AS n_journals,
    count(*) FILTER (WHERE j.status = 'quarantined') AS n_quarantined,
    count(*) FILTER (WHERE j.status = 'warned') AS n_warned,
    avg((j.status = 'quarantined')::integer) AS quarantined_share,
    percentile_cont(0.5) WITHIN GROUP (ORDER BY q.snr_db) AS median_snr_db,
    percentile_cont(0.5) WITHIN GROUP (ORDER BY q.speech_ratio) AS median_speech_ratio,
    percentile_cont(0.5) WITHIN GROUP (ORDER BY q.bandwidth_hz) AS median_bandwidth_hz,
    max(q.clipping_ratio) AS worst_clipping_ratio
FROM affect.journals AS j
LEFT JOIN affect.audio_quality AS q ON j.journal_id = q.journal_id
GROUP BY j.clinic, j.device, date_trunc('week', j.night);

COMMENT ON VIEW affect.quality_by_device IS
'Recording quality by clinic, device and week of arrival: a broken microphone update stands out.';

CREATE VIEW affect.quarantine WITH (security_invoker = true) AS
SELECT
    j.journal_id,
    j.patient_key,
    j.clinic,
    j.device,
    j.night,
    j.local_day,
    j.problem,
    j.failed,
    j.warned,
    q.duration_s,
    q.speech_s,
    q.snr_db,
    q.clipping_ratio,
    r.journal_id IS NOT NULL AS is_released
FROM affect.journals AS j
LEFT JOIN affect.audio_quality AS q ON j.journal_id = q.journal_id
LEFT JOIN affect.quarantine_releases AS r ON j.journal_id = r.journal_id
WHERE j.status = 'quarantined';

COMMENT ON VIEW affect.quarantine IS
'Recordings in quarantine with the reasons; is_released means that the next run of their night scores them.';
