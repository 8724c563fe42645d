-- Patients who cannot be judged, in the order in which they are expected to be: a first page asks for a dozen.
CREATE INDEX baselines_unready ON affect.baselines (ready_on, patient_key) WHERE state <> 'ready';
