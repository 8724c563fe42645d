-- Note in the audit trail that the person of this session looks at a patient.
SELECT affect.note_view(:what, cast(:patient_key AS text));
