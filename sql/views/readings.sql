-- One reading a journal, for whoever takes the scores elsewhere: that of the newest model version whose charts know the
-- day. A challenger that only listens along has no charts, so its scores do not show.
CREATE VIEW affect.readings WITH (security_invoker = true) AS
SELECT
    j.journal_id,
    j.patient_key,
    j.night,
    j.local_day,
    j.recorded_at,
    s.model_digest,
    s.depression_probability,
    s.depression_logit,
    s.depression_logit_se,
    s.valence,
    s.valence_se,
    s.arousal,
    s.arousal_se,
    s.depression_expected,
    s.depression_half_band,
    s.valence_expected,
    s.valence_half_band,
    s.arousal_expected,
    s.arousal_half_band
FROM affect.journals AS j
INNER JOIN LATERAL (
    SELECT
        x.*,
        d.depression_expected,
        d.depression_half_band,
        d.valence_expected,
        d.valence_half_band,
        d.arousal_expected,
        d.arousal_half_band
    FROM affect.scores AS x
    INNER JOIN affect.monitored_days AS d
        ON x.patient_key = d.patient_key AND x.model_digest = d.model_digest AND x.local_day = d.local_day
    LEFT JOIN affect.model_versions AS v ON x.model_digest = v.model_digest
    WHERE x.journal_id = j.journal_id AND x.local_day = j.local_day
    ORDER BY v.registry_version DESC NULLS LAST, v.registered_at DESC NULLS LAST, x.model_digest ASC
    LIMIT 1
) AS s ON true
WHERE j.status IN ('accepted', 'warned');

COMMENT ON VIEW affect.readings IS
'One reading a journal: the scores of the newest model version whose charts know its day, beside what the patient''s '
'baseline expected of that day (expected and half_band; logit for depression). What FHIR and OMOP show.';
