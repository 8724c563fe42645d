-- Add an event to the audit trail.
SELECT affect_private.record_audit(:actor, :action, :patient_key, cast(:detail AS jsonb));
