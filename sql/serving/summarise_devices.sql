-- Quality by device over a range of nights: a broken microphone update shows here first.
SELECT
    coalesce(journals.device, '') AS device,
    count(*) AS n_journals,
    count(*) FILTER (WHERE journals.status = 'quarantined') AS n_quarantined,
    percentile_cont(0.5) WITHIN GROUP (ORDER BY audio_quality.snr_db) AS median_snr_db,
    percentile_cont(0.5) WITHIN GROUP (ORDER BY audio_quality.speech_s) AS median_speech_s
FROM affect.journals
LEFT JOIN affect.audio_quality ON journals.journal_id = audio_quality.journal_id
WHERE journals.night BETWEEN :first_night AND :last_night
GROUP BY coalesce(journals.device, '')
ORDER BY n_journals DESC, device;
