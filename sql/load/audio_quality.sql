-- A recording that is measured again gets the new measurements.
INSERT INTO affect.audio_quality AS t (
    journal_id, duration_s, speech_s, speech_ratio, silence_ratio, snr_db, clipping_ratio, level_dbfs,
    loudness_lufs, bandwidth_hz, dc_offset, sample_rate_hz, n_channels
)
SELECT
    s.journal_id,
    s.duration_s,
    s.speech_s,
    s.speech_ratio,
    s.silence_ratio,
    s.snr_db,
    s.clipping_ratio,
    s.level_dbfs,
    s.loudness_lufs,
    s.bandwidth_hz,
    s.dc_offset,
    s.sample_rate_hz,
    s.n_channels
FROM pg_temp.staging_audio_quality AS s
ORDER BY s.journal_id
ON CONFLICT (journal_id) DO UPDATE SET
    duration_s = excluded.duration_s,
    speech_s = excluded.speech_s,
    speech_ratio = excluded.speech_ratio,
    silence_ratio = excluded.silence_ratio,
    snr_db = excluded.snr_db,
    clipping_ratio = excluded.clipping_ratio,
    level_dbfs = excluded.level_dbfs,
    loudness_lufs = excluded.loudness_lufs,
    bandwidth_hz = excluded.bandwidth_hz,
    dc_offset = excluded.dc_offset,
    sample_rate_hz = excluded.sample_rate_hz,
    n_channels = excluded.n_channels
-- Writing a row that is there already would cost as much as a change.
WHERE
(
    t.duration_s, t.speech_s, t.speech_ratio, t.silence_ratio, t.snr_db, t.clipping_ratio,
    t.level_dbfs, t.loudness_lufs, t.bandwidth_hz, t.dc_offset, t.sample_rate_hz, t.n_channels
) IS DISTINCT FROM (
    excluded.duration_s, excluded.speech_s, excluded.speech_ratio, excluded.silence_ratio,
    excluded.snr_db, excluded.clipping_ratio, excluded.level_dbfs, excluded.loudness_lufs,
    excluded.bandwidth_hz, excluded.dc_offset, excluded.sample_rate_hz, excluded.n_channels
);
