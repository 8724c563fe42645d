-- The OMOP CDM counts persons by integers. The views that show the warehouse in its words stand in a schema of their
-- own, so that they are never taken for a site's own CDM.
CREATE SCHEMA affect_omop;

COMMENT ON SCHEMA affect_omop IS 'The warehouse in the words of the OMOP CDM 5.4: views only.';

CREATE TABLE affect.omop_persons (
    patient_key text COLLATE "C" NOT NULL,
    person_id integer NOT NULL,
    CONSTRAINT omop_persons_pkey PRIMARY KEY (patient_key),
    CONSTRAINT omop_persons_person_id_key UNIQUE (person_id),
    CONSTRAINT omop_persons_person_id_positive CHECK (person_id > 0)
);

COMMENT ON TABLE affect.omop_persons IS
'[clock] Integer by which the OMOP views count a patient: follows from the pseudonym, but where two would share.';
COMMENT ON COLUMN affect.omop_persons.patient_key IS 'Patient.';
COMMENT ON COLUMN affect.omop_persons.person_id IS
'The first of sha256("1:" and the pseudonym), sha256("2:" ...), ... as 31 bits that nobody had before.';
