-- Each patient's means in both windows, by part of the cohort and measure: one row a patient, so that recordings of
-- one patient never count as several. At most :max_patients are looked at: the first by pseudonym, an order without
-- meaning.
CREATE TEMPORARY TABLE population_patients ON COMMIT DROP AS
WITH considered AS (
    SELECT patients.patient_key
    FROM affect.patients
    WHERE
        patients.first_night <= :current_last
        AND (patients.consent_withdrawn_night IS NULL OR patients.consent_withdrawn_night > :current_last)
    ORDER BY patients.patient_key
    LIMIT :max_patients
),

recordings AS (
    SELECT
        journals.journal_id,
        journals.local_day,
        journals.patient_key,
        cast(cast(journals.status = 'quarantined' AS integer) AS double precision) AS quarantined,
        journals.night >= :current_first AS is_current,
        coalesce(journals.device, 'not named') AS device,
        coalesce(journals.clinic, 'not named') AS clinic,
        coalesce(journals.language, 'not named') AS language
    FROM considered
    INNER JOIN affect.journals ON considered.patient_key = journals.patient_key
    WHERE journals.night BETWEEN :reference_first AND :current_last AND journals.status <> 'pending'
),

-- Few rows a patient from here on: most have one device, clinic and language. regr_* of a measure with itself are its
-- count, mean and sum of squared deviations, all from one pass.
counted AS (
    SELECT
        recordings.patient_key,
        recordings.is_current,
        recordings.device,
        recordings.clinic,
        recordings.language,
        null AS model_digest,
        ARRAY[
            'f0_median_hz',
            'f0_range_st',
            'f0_sd_st',
            'voiced_ratio',
            'speech_rate_hz',
            'pause_rate_per_min',
            'pause_mean_s',
            'energy_mean_db',
            'energy_sd_db',
            'spectral_slope_db_per_octave',
            'spectral_centroid_hz',
            'spectral_flatness',
            'duration_s',
            'speech_ratio',
            'snr_db',
            'clipping_ratio',
            'level_dbfs',
            'bandwidth_hz',
            'quarantined'
        ] AS measures,
        ARRAY[
            regr_count(sound.f0_median_hz, sound.f0_median_hz),
            regr_count(sound.f0_range_st, sound.f0_range_st),
            regr_count(sound.f0_sd_st, sound.f0_sd_st),
            regr_count(sound.voiced_ratio, sound.voiced_ratio),
            regr_count(sound.speech_rate_hz, sound.speech_rate_hz),
            regr_count(sound.pause_rate_per_min, sound.pause_rate_per_min),
            regr_count(sound.pause_mean_s, sound.pause_mean_s),
            regr_count(sound.energy_mean_db, sound.energy_mean_db),
            regr_count(sound.energy_sd_db, sound.energy_sd_db),
            regr_count(sound.spectral_slope_db_per_octave, sound.spectral_slope_db_per_octave),
            regr_count(sound.spectral_centroid_hz, sound.spectral_centroid_hz),
            regr_count(sound.spectral_flatness, sound.spectral_flatness),
            regr_count(audio.duration_s, audio.duration_s),
            regr_count(audio.speech_ratio, audio.speech_ratio),
            regr_count(audio.snr_db, audio.snr_db),
            regr_count(audio.clipping_ratio, audio.clipping_ratio),
            regr_count(audio.level_dbfs, audio.level_dbfs),
            regr_count(audio.bandwidth_hz, audio.bandwidth_hz),
            regr_count(recordings.quarantined, recordings.quarantined)
        ] AS counts,
        ARRAY[
            regr_avgx(sound.f0_median_hz, sound.f0_median_hz),
            regr_avgx(sound.f0_range_st, sound.f0_range_st),
            regr_avgx(sound.f0_sd_st, sound.f0_sd_st),
            regr_avgx(sound.voiced_ratio, sound.voiced_ratio),
            regr_avgx(sound.speech_rate_hz, sound.speech_rate_hz),
            regr_avgx(sound.pause_rate_per_min, sound.pause_rate_per_min),
            regr_avgx(sound.pause_mean_s, sound.pause_mean_s),
            regr_avgx(sound.energy_mean_db, sound.energy_mean_db),
            regr_avgx(sound.energy_sd_db, sound.energy_sd_db),
            regr_avgx(sound.spectral_slope_db_per_octave, sound.spectral_slope_db_per_octave),
            regr_avgx(sound.spectral_centroid_hz, sound.spectral_centroid_hz),
            regr_avgx(sound.spectral_flatness, sound.spectral_flatness),
            regr_avgx(audio.duration_s, audio.duration_s),
            regr_avgx(audio.speech_ratio, audio.speech_ratio),
            regr_avgx(audio.snr_db, audio.snr_db),
            regr_avgx(audio.clipping_ratio, audio.clipping_ratio),
            regr_avgx(audio.level_dbfs, audio.level_dbfs),
            regr_avgx(audio.bandwidth_hz, audio.bandwidth_hz),
            regr_avgx(recordings.quarantined, recordings.quarantined)
        ] AS means,
        ARRAY[
            regr_sxx(sound.f0_median_hz, sound.f0_median_hz),
            regr_sxx(sound.f0_range_st, sound.f0_range_st),
            regr_sxx(sound.f0_sd_st, sound.f0_sd_st),
            regr_sxx(sound.voiced_ratio, sound.voiced_ratio),
            regr_sxx(sound.speech_rate_hz, sound.speech_rate_hz),
            regr_sxx(sound.pause_rate_per_min, sound.pause_rate_per_min),
            regr_sxx(sound.pause_mean_s, sound.pause_mean_s),
            regr_sxx(sound.energy_mean_db, sound.energy_mean_db),
            regr_sxx(sound.energy_sd_db, sound.energy_sd_db),
            regr_sxx(sound.spectral_slope_db_per_octave, sound.spectral_slope_db_per_octave),
            regr_sxx(sound.spectral_centroid_hz, sound.spectral_centroid_hz),
            regr_sxx(sound.spectral_flatness, sound.spectral_flatness),
            regr_sxx(audio.duration_s, audio.duration_s),
            regr_sxx(audio.speech_ratio, audio.speech_ratio),
            regr_sxx(audio.snr_db, audio.snr_db),
            regr_sxx(audio.clipping_ratio, audio.clipping_ratio),
            regr_sxx(audio.level_dbfs, audio.level_dbfs),
            regr_sxx(audio.bandwidth_hz, audio.bandwidth_hz),
            regr_sxx(recordings.quarantined, recordings.quarantined)
        ] AS deviations
    FROM recordings
    LEFT JOIN affect.biomarkers AS sound
        ON recordings.local_day = sound.local_day AND recordings.journal_id = sound.journal_id
    LEFT JOIN affect.audio_quality AS audio ON recordings.journal_id = audio.journal_id
    GROUP BY
        recordings.patient_key, recordings.is_current, recordings.device, recordings.clinic, recordings.language
    UNION ALL
    SELECT
        recordings.patient_key,
        recordings.is_current,
        recordings.device,
        recordings.clinic,
        recordings.language,
        scores.model_digest,
        ARRAY[
            'depression_logit',
            'valence',
            'arousal'
        ] AS measures,
        ARRAY[
            regr_count(scores.depression_logit, scores.depression_logit),
            regr_count(scores.valence, scores.valence),
            regr_count(scores.arousal, scores.arousal)
        ] AS counts,
        ARRAY[
            regr_avgx(scores.depression_logit, scores.depression_logit),
            regr_avgx(scores.valence, scores.valence),
            regr_avgx(scores.arousal, scores.arousal)
        ] AS means,
        ARRAY[
            regr_sxx(scores.depression_logit, scores.depression_logit),
            regr_sxx(scores.valence, scores.valence),
            regr_sxx(scores.arousal, scores.arousal)
        ] AS deviations
    FROM recordings
    INNER JOIN affect.scores
        ON recordings.local_day = scores.local_day AND recordings.journal_id = scores.journal_id
    WHERE recordings.quarantined = 0
    GROUP BY
        recordings.patient_key, recordings.is_current, recordings.device, recordings.clinic, recordings.language,
        scores.model_digest
),

sums AS (
    SELECT
        counted.patient_key,
        counted.is_current,
        counted.device,
        counted.clinic,
        counted.language,
        counted.model_digest,
        listed.measure,
        listed.n,
        listed.n * listed.mean AS total,
        listed.deviation + listed.n * listed.mean * listed.mean AS squares
    FROM counted
    CROSS JOIN
        LATERAL unnest(counted.measures, counted.counts, counted.means, counted.deviations)
            AS listed (measure, n, mean, deviation)
    WHERE listed.n > 0
),

sliced AS (
    SELECT
        parts.dimension,
        parts.part,
        sums.measure,
        sums.patient_key,
        coalesce(sum(sums.n) FILTER (WHERE sums.is_current), 0) AS n_current,
        coalesce(sum(sums.n) FILTER (WHERE NOT sums.is_current), 0) AS n_reference,
        sum(sums.total) FILTER (WHERE sums.is_current) AS total_current,
        sum(sums.total) FILTER (WHERE NOT sums.is_current) AS total_reference,
        sum(sums.squares) FILTER (WHERE NOT sums.is_current) AS squares_reference
    FROM sums
    CROSS JOIN
        LATERAL (
            VALUES
            ('all', CASE WHEN sums.model_digest IS NULL THEN 'everybody' END),
            ('device', CASE WHEN coalesce(sums.model_digest, :model_digest) = :model_digest THEN sums.device END),
            ('clinic', CASE WHEN coalesce(sums.model_digest, :model_digest) = :model_digest THEN sums.clinic END),
            ('language', CASE WHEN coalesce(sums.model_digest, :model_digest) = :model_digest THEN sums.language END),
            ('model_version', sums.model_digest)
        ) AS parts (dimension, part)
    WHERE parts.part IS NOT NULL
    GROUP BY parts.dimension, parts.part, sums.measure, sums.patient_key
)

SELECT
    sliced.dimension,
    sliced.part,
    sliced.measure,
    sliced.patient_key,
    sliced.n_current > 0 AS is_heard,
    sliced.n_current >= :min_current AND sliced.n_reference >= :min_reference AS is_paired,
    sliced.total_current / nullif(sliced.n_current, 0) AS current_mean,
    sliced.total_reference / nullif(sliced.n_reference, 0) AS reference_mean,
    greatest(sliced.squares_reference - sliced.total_reference ^ 2 / nullif(sliced.n_reference, 0), 0)
    / nullif(sliced.n_reference - 1, 0) AS reference_variance
FROM sliced;
