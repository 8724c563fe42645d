-- The warehouse in the words of the OMOP CDM 5.4 (https://ohdsi.github.io/CommonDataModel/cdm54.html): columns, types
-- and what is required as there. Only ids of events are bigint: they follow from content, and 31 bits are too few for
-- that; exported files number them anew. Views run with the rights of who asks (security_invoker).
--
-- Nothing here has a standard concept: what a model hears in a voice is no questionnaire and no diagnosis. Concepts are
-- our own, above 2,000,000,000 as the CDM reserves them for sites.
CREATE VIEW affect_omop.vocabulary WITH (security_invoker = true) AS
SELECT
    'AFFECT_PIPELINE'::varchar(20) AS vocabulary_id,
    'affect-pipeline: what was heard in voice journals'::varchar(255) AS vocabulary_name,
    'urn:oid:2.25.110150201494080896068744478464392603099.1'::varchar(255) AS vocabulary_reference,
    '1'::varchar(255) AS vocabulary_version,
    2099000000 AS vocabulary_concept_id;

COMMENT ON VIEW affect_omop.vocabulary IS 'VOCABULARY: the source vocabulary of our own concepts.';

CREATE VIEW affect_omop.concept WITH (security_invoker = true) AS
SELECT
    c.concept_id,
    c.concept_name::varchar(255) AS concept_name,
    c.domain_id::varchar(20) AS domain_id,
    'AFFECT_PIPELINE'::varchar(20) AS vocabulary_id,
    CASE c.domain_id WHEN 'Metadata' THEN 'Vocabulary' ELSE 'Clinical Observation' END::varchar(20) AS concept_class_id,
    CASE c.domain_id WHEN 'Metadata' THEN NULL ELSE 'S' END::varchar(1) AS standard_concept,
    c.concept_code::varchar(50) AS concept_code,
    '1970-01-01'::date AS valid_start_date,
    '2099-12-31'::date AS valid_end_date,
    NULL::varchar(1) AS invalid_reason
FROM (
    VALUES
    (2099000000, 'affect-pipeline', 'Metadata', 'AFFECT_PIPELINE'),
    (2099000001, 'Low-mood signal of the voice (proxy, acted affect)', 'Measurement', 'depression-probability'),
    (2099000002, 'Low-mood signal of the voice, logit (proxy)', 'Measurement', 'depression-logit'),
    (2099000003, 'Standard error of the low-mood signal, logit', 'Measurement', 'depression-logit-se'),
    (2099000004, 'Pleasantness of the voice', 'Measurement', 'valence'),
    (2099000005, 'Standard error of pleasantness of the voice', 'Measurement', 'valence-se'),
    (2099000006, 'Energy of the voice', 'Measurement', 'arousal'),
    (2099000007, 'Standard error of energy of the voice', 'Measurement', 'arousal-se'),
    (2099000101, 'Median pitch', 'Measurement', 'f0_median_hz'),
    (2099000102, 'Pitch range', 'Measurement', 'f0_range_st'),
    (2099000103, 'Pitch variability', 'Measurement', 'f0_sd_st'),
    (2099000104, 'Voiced share of speech', 'Measurement', 'voiced_ratio'),
    (2099000105, 'Speech rate, syllable nuclei', 'Measurement', 'speech_rate_hz'),
    (2099000106, 'Pauses', 'Measurement', 'pause_rate_per_min'),
    (2099000107, 'Mean length of a pause', 'Measurement', 'pause_mean_s'),
    (2099000108, 'Mean energy of speech', 'Measurement', 'energy_mean_db'),
    (2099000109, 'Variability of energy', 'Measurement', 'energy_sd_db'),
    (2099000110, 'Spectral slope', 'Measurement', 'spectral_slope_db_per_octave'),
    (2099000111, 'Spectral centroid', 'Measurement', 'spectral_centroid_hz'),
    (2099000112, 'Spectral flatness', 'Measurement', 'spectral_flatness'),
    (2099000201, 'Voice sounds worse than usual', 'Observation', 'worsening'),
    (2099000202, 'Voice sounds better than usual', 'Observation', 'improving'),
    (2099000203, 'Records less than usual', 'Observation', 'adherence_lost'),
    (2099000204, 'Can hardly be heard', 'Observation', 'quality_lost'),
    (2099000205, 'Recording that could not be used', 'Observation', 'quarantined')
) AS c (concept_id, concept_name, domain_id, concept_code);

COMMENT ON VIEW affect_omop.concept IS
'CONCEPT: our own concepts, from 2099000000. Where a site uses these numbers already, map them while loading.';

CREATE VIEW affect_omop.person WITH (security_invoker = true) AS
SELECT
    o.person_id,
    CASE p.sex WHEN 'm' THEN 8507 WHEN 'f' THEN 8532 ELSE 0 END AS gender_concept_id,
    floor(extract(YEAR FROM coalesce(p.profile_at, p.first_night)) - a.age)::integer AS year_of_birth,
    NULL::integer AS month_of_birth,
    NULL::integer AS day_of_birth,
    NULL::timestamp AS birth_datetime,
    0 AS race_concept_id,
    0 AS ethnicity_concept_id,
    NULL::integer AS location_id,
    NULL::integer AS provider_id,
    NULL::integer AS care_site_id,
    p.patient_key::varchar(50) AS person_source_value,
    p.sex::varchar(50) AS gender_source_value,
    NULL::integer AS gender_source_concept_id,
    NULL::varchar(50) AS race_source_value,
    NULL::integer AS race_source_concept_id,
    NULL::varchar(50) AS ethnicity_source_value,
    NULL::integer AS ethnicity_source_concept_id
FROM affect.patients AS p
INNER JOIN affect.omop_persons AS o ON p.patient_key = o.patient_key
CROSS JOIN
    LATERAL (
        SELECT avg(b.bound[1]::numeric) + CASE WHEN p.age_band LIKE '%+' THEN 5 ELSE 0 END AS age
        FROM regexp_matches(p.age_band, '[0-9]+', 'g') AS b (bound)
    ) AS a
WHERE a.age IS NOT NULL;

COMMENT ON VIEW affect_omop.person IS
'PERSON: patients whose age band is known; the year of birth is that of the middle of the band. The CDM has no persons '
'without a year of birth: who has no age band is in none of these views.';

CREATE VIEW affect_omop.observation_period WITH (security_invoker = true) AS
SELECT
    p.person_id AS observation_period_id,
    p.person_id,
    min(j.local_day) AS observation_period_start_date,
    max(greatest(j.local_day, j.night)) AS observation_period_end_date,
    32880 AS period_type_concept_id
FROM affect_omop.person AS p
INNER JOIN affect.omop_persons AS o ON p.person_id = o.person_id
INNER JOIN affect.journals AS j ON o.patient_key = j.patient_key
GROUP BY p.person_id;

COMMENT ON VIEW affect_omop.observation_period IS
'OBSERVATION_PERIOD: from the first to the last day of which anything arrived. Type 32880, standard algorithm.';

CREATE VIEW affect_omop.measurement WITH (security_invoker = true) AS
SELECT
    ('x' || encode(substring(sha256(convert_to(m.journal_id || c.concept_code, 'UTF8')) FOR 8), 'hex'))::bit(64)::bigint
    & 9223372036854775807 AS measurement_id,
    p.person_id,
    c.concept_id AS measurement_concept_id,
    m.local_day AS measurement_date,
    m.local_day::timestamp AS measurement_datetime,
    NULL::varchar(10) AS measurement_time,
    32880 AS measurement_type_concept_id,
    NULL::integer AS operator_concept_id,
    m.value::numeric AS value_as_number,
    NULL::integer AS value_as_concept_id,
    NULL::integer AS unit_concept_id,
    m.low::numeric AS range_low,
    m.high::numeric AS range_high,
    NULL::integer AS provider_id,
    NULL::integer AS visit_occurrence_id,
    NULL::integer AS visit_detail_id,
    c.concept_code::varchar(50) AS measurement_source_value,
    c.concept_id AS measurement_source_concept_id,
    m.unit::varchar(50) AS unit_source_value,
    NULL::integer AS unit_source_concept_id,
    m.model_digest::varchar(50) AS value_source_value,
    NULL::integer AS measurement_event_id,
    NULL::integer AS meas_event_field_concept_id
FROM (
    SELECT
        r.journal_id,
        r.patient_key,
        r.local_day,
        left(r.model_digest, 50) AS model_digest,
        v.concept_code,
        v.value,
        v.low,
        v.high,
        '1' AS unit
    FROM affect.readings AS r
    CROSS JOIN
        LATERAL (
            VALUES
            (
                'depression-probability', r.depression_probability,
                1 / (1 + exp(-(r.depression_expected - r.depression_half_band)::double precision)),
                1 / (1 + exp(-(r.depression_expected + r.depression_half_band)::double precision))
            ),
            (
                'depression-logit', r.depression_logit, r.depression_expected - r.depression_half_band,
                r.depression_expected + r.depression_half_band
            ),
            ('depression-logit-se', r.depression_logit_se, NULL, NULL),
            (
                'valence', r.valence, r.valence_expected - r.valence_half_band,
                r.valence_expected + r.valence_half_band
            ),
            ('valence-se', r.valence_se, NULL, NULL),
            (
                'arousal', r.arousal, r.arousal_expected - r.arousal_half_band,
                r.arousal_expected + r.arousal_half_band
            ),
            ('arousal-se', r.arousal_se, NULL, NULL)
        ) AS v (concept_code, value, low, high)
    UNION ALL
    SELECT
        b.journal_id,
        b.patient_key,
        b.local_day,
        NULL,
        v.concept_code,
        v.value,
        NULL,
        NULL,
        v.unit
    FROM affect.biomarkers AS b
    INNER JOIN affect.journals AS j ON b.journal_id = j.journal_id AND j.status IN ('accepted', 'warned')
    CROSS JOIN
        LATERAL (
            VALUES
            ('f0_median_hz', b.f0_median_hz, 'Hz'),
            ('f0_range_st', b.f0_range_st, '{semitone}'),
            ('f0_sd_st', b.f0_sd_st, '{semitone}'),
            ('voiced_ratio', b.voiced_ratio, '1'),
            ('speech_rate_hz', b.speech_rate_hz, '{syllable}/s'),
            ('pause_rate_per_min', b.pause_rate_per_min, '{pause}/min'),
            ('pause_mean_s', b.pause_mean_s, 's'),
            ('energy_mean_db', b.energy_mean_db, 'dB'),
            ('energy_sd_db', b.energy_sd_db, 'dB'),
            ('spectral_slope_db_per_octave', b.spectral_slope_db_per_octave, 'dB/{octave}'),
            ('spectral_centroid_hz', b.spectral_centroid_hz, 'Hz'),
            ('spectral_flatness', b.spectral_flatness, '1')
        ) AS v (concept_code, value, unit)
) AS m
INNER JOIN affect_omop.concept AS c ON m.concept_code = c.concept_code
INNER JOIN affect.omop_persons AS o ON m.patient_key = o.patient_key
INNER JOIN affect_omop.person AS p ON o.person_id = p.person_id
WHERE m.value IS NOT NULL
UNION ALL
-- Questionnaires have a standard concept, but its number is in a vocabulary that is not shipped here: 0 says that the
-- code of the source (LOINC) is to be mapped while loading.
SELECT
    ('x' || encode(substring(sha256(convert_to(q.patient_key || q.questionnaire_id, 'UTF8')) FOR 8), 'hex'))
    ::bit(64)::bigint
    & 9223372036854775807,
    p.person_id,
    0,
    q.local_day,
    q.local_day::timestamp,
    NULL::varchar(10),
    32862,
    NULL::integer,
    q.total::numeric,
    NULL::integer,
    NULL::integer,
    NULL::numeric,
    NULL::numeric,
    NULL::integer,
    NULL::integer,
    NULL::integer,
    CASE q.instrument WHEN 'PHQ-9' THEN '44261-6' ELSE q.instrument END::varchar(50),
    0,
    '{score}'::varchar(50),
    NULL::integer,
    q.total::varchar(50),
    NULL::integer,
    NULL::integer
FROM affect.phq_answers AS q
INNER JOIN affect.omop_persons AS o ON q.patient_key = o.patient_key
INNER JOIN affect_omop.person AS p ON o.person_id = p.person_id;

COMMENT ON VIEW affect_omop.measurement IS
'MEASUREMENT: scores (with the band of the patient''s ordinary days as range, and the model version as source of the '
'value) and biomarkers of every journal that was used; totals of questionnaires under their LOINC code, concept 0. The '
'low-mood signal is a proxy fitted on acted affect.';

CREATE VIEW affect_omop.observation WITH (security_invoker = true) AS
SELECT
    ('x' || encode(substring(sha256(convert_to(e.name || c.concept_code, 'UTF8')) FOR 8), 'hex'))::bit(64)::bigint
    & 9223372036854775807 AS observation_id,
    p.person_id,
    c.concept_id AS observation_concept_id,
    e.observed_day AS observation_date,
    e.observed_day::timestamp AS observation_datetime,
    32880 AS observation_type_concept_id,
    NULL::numeric AS value_as_number,
    left(e.value, 60)::varchar(60) AS value_as_string,
    NULL::integer AS value_as_concept_id,
    NULL::integer AS qualifier_concept_id,
    NULL::integer AS unit_concept_id,
    NULL::integer AS provider_id,
    NULL::integer AS visit_occurrence_id,
    NULL::integer AS visit_detail_id,
    c.concept_code::varchar(50) AS observation_source_value,
    c.concept_id AS observation_source_concept_id,
    NULL::varchar(50) AS unit_source_value,
    e.qualifier::varchar(50) AS qualifier_source_value,
    left(e.value, 50)::varchar(50) AS value_source_value,
    NULL::integer AS observation_event_id,
    NULL::integer AS obs_event_field_concept_id
FROM (
    SELECT
        a.alert_id AS name,
        a.patient_key,
        a.direction AS concept_code,
        a.opened_night AS observed_day,
        a.severity AS value,
        a.state AS qualifier
    FROM affect.drift_alerts AS a
    UNION ALL
    SELECT
        j.journal_id,
        j.patient_key,
        'quarantined',
        j.local_day,
        coalesce(j.problem, array_to_string(j.failed, ', ')),
        NULL
    FROM affect.journals AS j
    WHERE j.status = 'quarantined'
) AS e
INNER JOIN affect_omop.concept AS c ON e.concept_code = c.concept_code
INNER JOIN affect.omop_persons AS o ON e.patient_key = o.patient_key
INNER JOIN affect_omop.person AS p ON o.person_id = p.person_id;

COMMENT ON VIEW affect_omop.observation IS
'OBSERVATION: alerts (on the night they were raised; severity as value, open or resolved as qualifier) and recordings '
'that could not be used, with the reason.';

CREATE VIEW affect_omop.cdm_source WITH (security_invoker = true) AS
SELECT
    'affect-pipeline'::varchar(255) AS cdm_source_name,
    'AFFECT'::varchar(25) AS cdm_source_abbreviation,
    'the installation'::varchar(255) AS cdm_holder,
    'Voice journals scored by a model that was fitted on acted affect; pseudonymised.' AS source_description,
    'docs/interoperability.md'::varchar(255) AS source_documentation_reference,
    'sql/views/z_omop.sql'::varchar(255) AS cdm_etl_reference,
    coalesce(max(n.night), '1970-01-01') AS source_release_date,
    coalesce(max(n.night), '1970-01-01') AS cdm_release_date,
    'v5.4'::varchar(10) AS cdm_version,
    756265 AS cdm_version_concept_id,
    '1'::varchar(20) AS vocabulary_version
FROM affect.nights AS n;

COMMENT ON VIEW affect_omop.cdm_source IS 'CDM_SOURCE: what the other views are, up to the newest night.';
