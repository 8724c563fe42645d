-- Which rows a role sees. Policies are dropped and made anew, so that this file is the whole truth.
DO $$
DECLARE
    stale record;
    secured text;
BEGIN
    FOR stale IN SELECT p.policyname, p.tablename FROM pg_policies AS p WHERE p.schemaname = 'affect' LOOP
        EXECUTE format('DROP POLICY %I ON affect.%I', stale.policyname, stale.tablename);
    END LOOP;

    -- Every table but those that say nothing about a single patient or person, and those that only the pipeline may
    -- touch: COPY takes no rows where policies are in force.
    FOR secured IN
        SELECT c.relname
        FROM pg_class AS c
        WHERE
            c.relnamespace = 'affect'::regnamespace
            AND c.relkind IN ('r', 'p')
            AND c.relname NOT IN (
                'model_versions', 'nights', 'runs', 'schema_migrations', 'chart_state_0', 'chart_state_1'
            )
    LOOP
        EXECUTE format('ALTER TABLE affect.%I ENABLE ROW LEVEL SECURITY', secured);
        EXECUTE format('CREATE POLICY pipeline_all ON affect.%I TO affect_pipeline USING (true) WITH CHECK (true)', secured);
        EXECUTE format(
            'CREATE POLICY read_all ON affect.%I FOR SELECT TO affect_analyst, affect_admin USING (true)', secured
        );
    END LOOP;

    -- The other tables lean on the policy of patients: looked up row by row for a page about one patient, or hashed once
    -- for a scan, as the planner sees fit.
    FOREACH secured IN ARRAY ARRAY[
        'journals', 'biomarkers', 'scores', 'monitored_days', 'baselines', 'drift_alerts', 'care_assignments',
        'known_changes', 'questionnaires', 'omop_persons'
    ] LOOP
        EXECUTE format(
            'CREATE POLICY own_patients ON affect.%1$I FOR SELECT TO affect_counselor '
            'USING (EXISTS (SELECT FROM affect.patients AS p WHERE p.patient_key = %1$I.patient_key))', secured
        );
    END LOOP;

    -- Tables without a patient lean on the policy of the table that has one.
    FOREACH secured IN ARRAY ARRAY['audio_quality', 'quality_checks', 'quarantine_releases'] LOOP
        EXECUTE format(
            'CREATE POLICY own_patients ON affect.%1$I FOR SELECT TO affect_counselor '
            'USING (EXISTS (SELECT FROM affect.journals AS j WHERE j.journal_id = %1$I.journal_id))', secured
        );
    END LOOP;
    FOREACH secured IN ARRAY ARRAY['alert_events', 'alert_actions'] LOOP
        EXECUTE format(
            'CREATE POLICY own_patients ON affect.%1$I FOR SELECT TO affect_counselor '
            'USING (EXISTS (SELECT FROM affect.drift_alerts AS a WHERE a.alert_id = %1$I.alert_id))', secured
        );
    END LOOP;
END
$$;

-- In brackets, the function is asked once a statement and not once a row.
CREATE POLICY own_patients ON affect.patients FOR SELECT TO affect_counselor
USING (
    clinic = any((SELECT affect.visible_clinics())::text[])
    OR patient_key IN (SELECT affect.assigned_patients())
);

CREATE POLICY own_clinics ON affect.population_comparisons FOR SELECT TO affect_counselor
USING (dimension <> 'clinic' OR part = any((SELECT affect.visible_clinics())::text[]));

CREATE POLICY own_name ON affect.alert_actions FOR INSERT TO affect_counselor, affect_admin
WITH CHECK (
    actor = affect.current_login()
    AND alert_id IN (SELECT a.alert_id FROM affect.drift_alerts AS a)
);

CREATE POLICY own_name ON affect.known_changes FOR INSERT TO affect_counselor, affect_admin
WITH CHECK (
    actor = affect.current_login()
    AND patient_key IN (SELECT p.patient_key FROM affect.patients AS p)
);

CREATE POLICY own_name ON affect.quarantine_releases FOR INSERT TO affect_admin
WITH CHECK (
    actor = affect.current_login()
    AND journal_id IN (SELECT j.journal_id FROM affect.journals AS j)
);

CREATE POLICY colleagues ON affect.people FOR SELECT TO affect_counselor
USING (login = affect.current_login() OR clinics && affect.current_clinics());

CREATE POLICY administer ON affect.people TO affect_admin USING (true) WITH CHECK (true);

CREATE POLICY assign ON affect.care_assignments FOR INSERT TO affect_admin
WITH CHECK (assigned_by = affect.current_login());

CREATE POLICY unassign ON affect.care_assignments FOR DELETE TO affect_admin USING (true);
