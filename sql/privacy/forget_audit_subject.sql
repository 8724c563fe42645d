SELECT affect_private.forget_audit_subject(:patient_key);
