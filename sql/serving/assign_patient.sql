-- Let a person look after a patient.
INSERT INTO affect.care_assignments (login, patient_key, assigned_by)
VALUES (:login, :patient_key, :assigned_by)
ON CONFLICT DO NOTHING;
