-- The audit trail: a chain of events. One writer at a time takes the last event's hash into the next.

-- What a hash covers, as text that is the same on every server.
CREATE OR REPLACE FUNCTION affect_private.audit_content(event affect.audit_events)
RETURNS text
LANGUAGE sql
STABLE
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT jsonb_build_array(
        event.seq,
        to_char(event.at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
        event.actor, event.action, event.subject, event.detail
    )::text
$$;

CREATE OR REPLACE FUNCTION affect_private.audit_subject(patient text)
RETURNS uuid
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    known uuid;
BEGIN
    IF patient IS NULL THEN
        RETURN NULL;
    END IF;
    SELECT s.subject INTO known FROM affect_private.audit_subjects AS s WHERE s.patient_key = patient;
    IF known IS NULL THEN
        INSERT INTO affect_private.audit_subjects (patient_key) VALUES (patient) ON CONFLICT DO NOTHING;
        SELECT s.subject INTO known FROM affect_private.audit_subjects AS s WHERE s.patient_key = patient;
    END IF;
    RETURN known;
END
$$;

CREATE OR REPLACE FUNCTION affect_private.record_audit(who text, what text, patient text, facts jsonb)
RETURNS bigint
LANGUAGE plpgsql
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    event affect.audit_events;
    last_event affect.audit_events;
BEGIN
    event.subject := affect_private.audit_subject(patient);
    PERFORM pg_advisory_xact_lock(107075202213504); -- held to the end of the transaction: the chain has one end
    SELECT e.* INTO last_event FROM affect.audit_events AS e ORDER BY e.seq DESC LIMIT 1;
    event.seq := coalesce(last_event.seq, 0) + 1;
    event.at := clock_timestamp();
    event.actor := who;
    event.action := what;
    event.detail := coalesce(facts, '{}');
    event.previous := coalesce(last_event.hash, repeat('0', 64));
    event.hash := encode(
        sha256(convert_to(event.previous || E'\n' || affect_private.audit_content(event), 'UTF8')), 'hex'
    );
    INSERT INTO affect.audit_events SELECT event.*;
    RETURN event.seq;
END
$$;

-- A person's own session notes whom the person looks at: under the person's name, which it cannot choose. Views of one
-- patient by one person within five minutes are one event.
CREATE OR REPLACE FUNCTION affect.note_view(what text, patient text)
RETURNS void
LANGUAGE plpgsql
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    who text := affect.current_login();
    whom uuid := affect_private.audit_subject(patient);
BEGIN
    IF who IS NULL THEN
        RAISE insufficient_privilege USING MESSAGE = 'nobody is logged in whose view could be noted';
    END IF;
    IF what NOT IN ('patient_viewed', 'alert_viewed', 'patients_listed') THEN
        RAISE invalid_parameter_value USING MESSAGE = 'not something that is viewed';
    END IF;
    IF NOT EXISTS (
        SELECT FROM affect.audit_events AS e
        WHERE
            e.subject IS NOT DISTINCT FROM whom AND e.actor = who AND e.action = what
            AND e.at > clock_timestamp() - interval '5 minutes'
    ) THEN
        PERFORM affect_private.record_audit(who, what, patient, NULL);
    END IF;
END
$$;

CREATE OR REPLACE FUNCTION affect_private.audit_row()
RETURNS trigger
LANGUAGE plpgsql
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    CASE TG_TABLE_NAME
        WHEN 'alert_actions' THEN
            PERFORM affect_private.record_audit(
                NEW.actor, 'alert_' || NEW.kind,
                (SELECT a.patient_key FROM affect.drift_alerts AS a WHERE a.alert_id = NEW.alert_id),
                jsonb_build_object('alert', left(NEW.alert_id, 12))
            );
        WHEN 'quarantine_releases' THEN
            PERFORM affect_private.record_audit(
                NEW.actor, 'quarantine_released',
                (SELECT j.patient_key FROM affect.journals AS j WHERE j.journal_id = NEW.journal_id),
                jsonb_build_object('journal', left(NEW.journal_id, 12))
            );
        WHEN 'care_assignments' THEN
            PERFORM affect_private.record_audit(
                NEW.assigned_by, 'patient_assigned', NEW.patient_key, jsonb_build_object('login', NEW.login)
            );
        WHEN 'people' THEN
            PERFORM affect_private.record_audit(
                coalesce(affect.current_login(), 'command line'), 'access_changed', NULL,
                jsonb_build_object(
                    'login', NEW.login, 'role', NEW.role, 'clinics', NEW.clinics, 'sees', NEW.sees, 'active', NEW.active
                )
            );
    END CASE;
    RETURN NULL;
END
$$;

CREATE OR REPLACE FUNCTION affect_private.refuse_change()
RETURNS trigger
LANGUAGE plpgsql
AS $$
BEGIN
    RAISE insufficient_privilege USING MESSAGE = 'audit events are only ever added';
END
$$;

CREATE OR REPLACE TRIGGER only_added BEFORE UPDATE OR DELETE OR TRUNCATE ON affect.audit_events
FOR EACH STATEMENT EXECUTE FUNCTION affect_private.refuse_change();

CREATE OR REPLACE TRIGGER audited AFTER INSERT ON affect.alert_actions
FOR EACH ROW EXECUTE FUNCTION affect_private.audit_row();

CREATE OR REPLACE TRIGGER audited AFTER INSERT ON affect.quarantine_releases
FOR EACH ROW EXECUTE FUNCTION affect_private.audit_row();

CREATE OR REPLACE TRIGGER audited AFTER INSERT ON affect.care_assignments
FOR EACH ROW EXECUTE FUNCTION affect_private.audit_row();

CREATE OR REPLACE TRIGGER audited AFTER INSERT OR UPDATE ON affect.people
FOR EACH ROW EXECUTE FUNCTION affect_private.audit_row();

REVOKE ALL ON FUNCTION affect_private.audit_content(affect.audit_events) FROM public;
REVOKE ALL ON FUNCTION affect_private.audit_subject(text) FROM public;
REVOKE ALL ON FUNCTION affect_private.record_audit(text, text, text, jsonb) FROM public;
REVOKE ALL ON FUNCTION affect.note_view(text, text) FROM public;
