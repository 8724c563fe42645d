-- One night of made-up journals: the first :n_journals of :n_patients patients record once, all of it accepted.
INSERT INTO affect.journals (
    journal_id, patient_key, night, delivery_key, recorded_at, local_day, device, n_bytes, audio_format, status
)
SELECT
    encode(sha256(convert_to(cast(:night AS text) || '/' || n, 'UTF8')), 'hex') AS journal_id,
    md5(n::text) AS patient_key,
    cast(:night AS date) AS night,
    md5(cast(:night AS text) || '/' || n) AS delivery_key,
    cast(:night AS date) + interval '9 hours' AS recorded_at,
    cast(:night AS date) AS local_day,
    'phone' AS device,
    100000 AS n_bytes,
    'wav' AS audio_format,
    'accepted' AS status
FROM generate_series(1, :n_journals) AS n;
