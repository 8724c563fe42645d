-- Devices whose quarantined share in a week is at least :at_least (0.3) over at least :journals (5) recordings.
SELECT
    q.clinic,
    q.device,
    q.week_start,
    q.n_journals,
    q.n_quarantined,
    q.quarantined_share,
    q.median_snr_db,
    q.worst_clipping_ratio
FROM affect.quality_by_device AS q
WHERE
    q.quarantined_share >= coalesce(cast(:at_least AS double precision), 0.3)
    AND q.n_journals >= coalesce(cast(:journals AS integer), 5)
ORDER BY q.quarantined_share DESC, q.clinic, q.device, q.week_start;
