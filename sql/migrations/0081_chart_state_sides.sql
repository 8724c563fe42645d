-- States have two sides. A night reads the one that the night before wrote, writes the other, and empties the first as
-- a whole: deleting row by row would write them twice more, and leave the table bloated.
-- States are packed anew by this version, so that none need be kept: the next night makes them from the journals.
DROP TABLE affect.chart_state;

CREATE TABLE affect.chart_state (
    side smallint NOT NULL,
    patient_key text COLLATE "C" NOT NULL,
    model_digest text COLLATE "C" NOT NULL,
    through_day date NOT NULL,
    version integer NOT NULL,
    state bytea NOT NULL,
    CONSTRAINT chart_state_pkey PRIMARY KEY (patient_key, model_digest, side)
) PARTITION BY LIST (side);

-- A packed state is numbers that do not compress: it stays in the row, and five of them in a page.
ALTER TABLE affect.chart_state ALTER COLUMN state SET STORAGE PLAIN;

CREATE TABLE affect.chart_state_0 PARTITION OF affect.chart_state FOR VALUES IN (0);
CREATE TABLE affect.chart_state_1 PARTITION OF affect.chart_state FOR VALUES IN (1);

COMMENT ON TABLE affect.chart_state IS
'What the next night needs to go on from, so that a night reads state and not history.';
COMMENT ON COLUMN affect.chart_state.side IS
'[clock] Which of two partitions: each night writes the other one than the night before, and empties that.';
COMMENT ON COLUMN affect.chart_state.patient_key IS 'Patient.';
COMMENT ON COLUMN affect.chart_state.model_digest IS 'Model version.';
COMMENT ON COLUMN affect.chart_state.through_day IS 'Last day the state has seen.';
COMMENT ON COLUMN affect.chart_state.version IS 'Version of the packing of state.';
COMMENT ON COLUMN affect.chart_state.state IS 'Packed numbers of the charts.';

ALTER TABLE affect.monitor_progress ADD COLUMN side smallint NOT NULL DEFAULT 0;

COMMENT ON COLUMN affect.monitor_progress.side IS '[clock] Side of chart_state that holds the states.';
