-- Seven recordings in ten days, from :first to :last; every twenty-fifth is not usable, and one patient in four changes
-- the phone half-way. They lie in the table by night, as nightly runs would have put them there.
INSERT INTO affect.journals (
    journal_id, patient_key, night, delivery_key, recorded_at, local_day, time_zone, device, prompt, language, clinic,
    n_bytes, audio_format, status, failed, warned
)
SELECT
    encode(sha256(convert_to(days.n || ' ' || days.d, 'UTF8')), 'hex'),
    days.patient_key,
    days.local_day + 1,
    md5('delivery ' || days.n || ' ' || days.d),
    (cast(days.local_day AS timestamp) + make_interval(hours => 8, mins => cast(days.draw * 900 AS integer)))
    AT TIME ZONE days.time_zone,
    days.local_day,
    days.time_zone,
    CASE WHEN days.n % 4 = 1 AND days.d < cast(:n_days AS integer) / 4 THEN 'phone-b' ELSE 'phone-a' END,
    'How was your day?',
    days.language,
    days.clinic,
    320044,
    'wav',
    CASE WHEN days.draw > 0.97 THEN 'quarantined' WHEN days.draw > 0.9 THEN 'warned' ELSE 'accepted' END,
    cast(CASE WHEN days.draw > 0.97 THEN ARRAY['snr_at_least_12_db'] ELSE '{}' END AS text[]),
    cast(CASE WHEN days.draw > 0.9 AND days.draw <= 0.97 THEN ARRAY['snr_at_least_18_db'] ELSE '{}' END AS text[])
FROM (
    SELECT
        numbers.n,
        offsets.d,
        patients.patient_key,
        patients.time_zone,
        patients.language,
        patients.clinic,
        cast(:last_day AS date) - offsets.d AS local_day,
        (hashtextextended(numbers.n || ' ' || offsets.d, cast(:seed AS bigint)) & 1048575) / 1048575.0 AS draw
    FROM generate_series(1, cast(:n_patients AS integer)) AS numbers (n)
    CROSS JOIN
        generate_series(
            cast(:last_day AS date) - cast(:last AS date), cast(:last_day AS date) - cast(:first AS date)
        ) AS offsets (d)
    INNER JOIN affect.patients
        ON patients.patient_key = left(encode(sha256(convert_to('patient ' || numbers.n, 'UTF8')), 'hex'), 32)
    WHERE numbers.n % 6 <> 5 OR offsets.d < 8
) AS days
WHERE days.draw > 0.3
ORDER BY days.local_day, days.n;
