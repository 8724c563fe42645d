-- Journals of the nights that were judged, with what was heard in them; patient by patient. Whoever withdrew consent is
-- left out.
SELECT
    j.journal_id,
    j.patient_key,
    j.night,
    j.recorded_at,
    j.local_day,
    j.device,
    j.n_bytes,
    j.audio_format,
    j.problem,
    j.status,
    j.failed,
    q.duration_s,
    r.model_digest,
    r.depression_probability,
    r.depression_logit,
    r.depression_logit_se,
    r.valence,
    r.valence_se,
    r.arousal,
    r.arousal_se,
    r.depression_expected,
    r.depression_half_band,
    r.valence_expected,
    r.valence_half_band,
    r.arousal_expected,
    r.arousal_half_band
FROM affect.journals AS j
INNER JOIN affect.patients AS p ON j.patient_key = p.patient_key
LEFT JOIN affect.audio_quality AS q ON j.journal_id = q.journal_id
LEFT JOIN affect.readings AS r ON j.journal_id = r.journal_id
WHERE
    j.night BETWEEN :first_night AND :last_night
    AND p.consent_withdrawn_night IS NULL
    AND (j.status = 'quarantined' OR r.model_digest IS NOT NULL)
    AND (cast(:patient_key AS text) IS NULL OR j.patient_key = :patient_key)
ORDER BY j.patient_key, j.journal_id;
