-- Makes room for a restore, inside its transaction.
SET client_min_messages = warning;

DROP SCHEMA IF EXISTS affect_omop CASCADE;

DROP SCHEMA IF EXISTS affect CASCADE;

DROP SCHEMA IF EXISTS affect_private CASCADE;
