-- Rights by role, each the least that its work needs. Everything is taken away first: this file is the whole truth.
REVOKE ALL ON ALL TABLES IN SCHEMA affect FROM public, affect_pipeline, affect_analyst, affect_counselor, affect_admin;
REVOKE ALL ON ALL TABLES IN SCHEMA affect_private
FROM public, affect_pipeline, affect_analyst, affect_counselor, affect_admin;
REVOKE ALL ON ALL TABLES IN SCHEMA affect_omop
FROM public, affect_pipeline, affect_analyst, affect_counselor, affect_admin;
REVOKE ALL ON ALL FUNCTIONS IN SCHEMA affect
FROM public, affect_pipeline, affect_analyst, affect_counselor, affect_admin;
REVOKE ALL ON ALL FUNCTIONS IN SCHEMA affect_private
FROM public, affect_pipeline, affect_analyst, affect_counselor, affect_admin;

GRANT USAGE ON SCHEMA affect, affect_omop TO affect_pipeline, affect_analyst, affect_counselor, affect_admin;
GRANT USAGE ON SCHEMA affect_private TO affect_pipeline;
GRANT EXECUTE ON FUNCTION
affect.current_login(), affect.current_clinics(), affect.visible_clinics(), affect.assigned_patients()
TO affect_pipeline, affect_analyst, affect_counselor, affect_admin;
GRANT EXECUTE ON FUNCTION affect.content_hash() TO affect_pipeline;
GRANT EXECUTE ON FUNCTION affect.ensure_month_partitions(name, date[]) TO affect_pipeline;
GRANT EXECUTE ON FUNCTION affect_private.open_session(text, integer), affect_private.reset_web_passwords()
TO affect_pipeline;
GRANT EXECUTE ON FUNCTION
affect_private.record_audit(text, text, text, jsonb), affect_private.audit_content(affect.audit_events),
affect_private.erase_patient(text), affect_private.forget_audit_subject(text),
affect_private.list_audit_subjects(), affect_private.rename_keys(text[], text[], text[]),
affect_private.assign_persons_anew()
TO affect_pipeline;
GRANT EXECUTE ON FUNCTION affect.note_view(text, text) TO affect_analyst, affect_counselor, affect_admin;

-- What operators are told about the recordings as a whole; counselors see no other clinic (row-level security).
GRANT SELECT ON affect.population_comparisons TO affect_analyst, affect_counselor, affect_admin;

-- The audit trail is read by who answers for it, and written by functions only.
GRANT SELECT ON affect.audit_events TO affect_pipeline, affect_admin;

-- The pipeline writes what it computes, and never changes what people did.
GRANT SELECT, INSERT, UPDATE, DELETE ON
affect.patients, affect.journals, affect.deliveries, affect.audio_quality, affect.quality_checks, affect.biomarkers,
affect.scores, affect.model_versions, affect.monitored_days, affect.baselines, affect.chart_state,
affect.drift_alerts, affect.alert_events, affect.nights, affect.cohort_profiles, affect.monitor_progress,
affect.questionnaires
TO affect_pipeline;
GRANT SELECT, INSERT, TRUNCATE ON affect.chart_state_0, affect.chart_state_1 TO affect_pipeline;
GRANT SELECT, INSERT, UPDATE, DELETE ON affect.population_comparisons TO affect_pipeline;
GRANT SELECT, INSERT ON affect.population_notices TO affect_pipeline;
GRANT SELECT, INSERT, UPDATE, DELETE ON affect.voice_keys TO affect_pipeline;
GRANT SELECT, INSERT, UPDATE ON affect.erasures TO affect_pipeline;
GRANT SELECT, INSERT, UPDATE ON affect.runs TO affect_pipeline;
GRANT SELECT, INSERT ON affect.alert_actions, affect.notifications, affect.quarantine_releases, affect.known_changes
TO affect_pipeline;
GRANT SELECT ON affect.schema_migrations TO affect_pipeline;

-- What was released, and what it cost, is only ever added to; the ledger of a budget is nobody's to mend.
GRANT SELECT, INSERT ON affect.privacy_budgets, affect.privacy_releases, affect.released_trends TO affect_pipeline;
GRANT SELECT ON affect.privacy_budgets, affect.privacy_releases, affect.released_trends
TO affect_analyst, affect_admin;

-- The service that asks who somebody is runs as the pipeline.
GRANT SELECT, INSERT, UPDATE ON affect.people TO affect_pipeline;
GRANT SELECT, INSERT, DELETE ON affect.care_assignments TO affect_pipeline;
GRANT SELECT, INSERT, UPDATE, DELETE ON affect.access_tokens TO affect_pipeline;

-- What servers elsewhere were sent, and the integers of the OMOP views.
GRANT SELECT, INSERT, UPDATE, DELETE ON affect.fhir_deliveries, affect.fhir_progress TO affect_pipeline;
GRANT SELECT ON affect.omop_persons TO affect_pipeline, affect_analyst, affect_counselor, affect_admin;

-- Analysts read all clinics, under pseudonyms, and not what people wrote in their own words.
GRANT SELECT ON
affect.patients, affect.journals, affect.deliveries, affect.audio_quality, affect.quality_checks, affect.biomarkers,
affect.scores, affect.model_versions, affect.monitored_days, affect.baselines, affect.drift_alerts,
affect.alert_events, affect.nights, affect.runs, affect.quarantine_releases, affect.care_assignments,
affect.questionnaires
TO affect_analyst;
GRANT SELECT (patient_key, onset_day, source, noted_at) ON affect.known_changes TO affect_analyst;
GRANT SELECT (action_id, alert_id, actor, kind, at) ON affect.alert_actions TO affect_analyst;
GRANT SELECT (login, display_name) ON affect.people TO affect_analyst;

-- Counselors read their patients (row-level security says which) and act on alerts in their own name.
GRANT SELECT ON
affect.patients, affect.journals, affect.audio_quality, affect.quality_checks, affect.biomarkers, affect.scores,
affect.model_versions, affect.monitored_days, affect.baselines, affect.drift_alerts,
affect.alert_events, affect.alert_actions, affect.nights, affect.runs, affect.quarantine_releases,
affect.care_assignments, affect.people, affect.known_changes, affect.questionnaires
TO affect_counselor;
GRANT INSERT (patient_key, onset_day, source, actor) ON affect.known_changes TO affect_counselor;
GRANT INSERT (alert_id, actor, kind, comment) ON affect.alert_actions TO affect_counselor;

-- Administrators decide who sees whom and let journals out of quarantine.
GRANT SELECT ON
affect.patients, affect.journals, affect.deliveries, affect.audio_quality, affect.quality_checks, affect.biomarkers,
affect.scores, affect.model_versions, affect.monitored_days, affect.baselines, affect.drift_alerts,
affect.alert_events, affect.alert_actions, affect.nights, affect.runs, affect.quarantine_releases,
affect.care_assignments, affect.people, affect.schema_migrations, affect.known_changes, affect.questionnaires
TO affect_admin;
GRANT INSERT (patient_key, onset_day, source, actor) ON affect.known_changes TO affect_admin;
GRANT INSERT (alert_id, actor, kind, comment) ON affect.alert_actions TO affect_admin;
GRANT INSERT (journal_id, actor, reason) ON affect.quarantine_releases TO affect_admin;
GRANT INSERT, UPDATE, DELETE ON affect.people TO affect_admin;
GRANT INSERT (login, patient_key, assigned_by), DELETE ON affect.care_assignments TO affect_admin;

-- Views lend no rights (security_invoker): each reads its tables as whoever asks. patient_state and the like work for a
-- counselor on that counselor's patients.
DO $$
DECLARE
    shown record;
BEGIN
    FOR shown IN
        SELECT v.schemaname, v.viewname FROM pg_views AS v WHERE v.schemaname IN ('affect', 'affect_omop')
    LOOP
        EXECUTE format(
            'GRANT SELECT ON %I.%I TO affect_pipeline, affect_analyst, affect_counselor, affect_admin',
            shown.schemaname, shown.viewname
        );
    END LOOP;
END
$$;
