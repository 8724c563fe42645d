"""The OMOP views have the columns of the CDM 5.4, show each role what its tables show it, and fit files."""

from __future__ import annotations

import datetime as dt
import stat
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import sqlalchemy as sa

from affect_pipeline.interop.codes import ALERTS, SCORES
from affect_pipeline.interop.omop import NUMBERED, TABLES, export
from affect_pipeline.privacy.audit import list_events
from affect_pipeline.settings import Settings
from affect_pipeline.warehouse.access import as_person
from affect_pipeline.warehouse.load import upsert
from affect_pipeline.warehouse.queries import sql_dir
from tests.warehouse.rows import BIOMARKERS, frame, key, patient

# The tables as OMOPCDM_postgresql_5.4_ddl.sql (OHDSI/CommonDataModel) has them: column, type, ! where required.
CDM = {
    "person": (
        "person_id integer! gender_concept_id integer! year_of_birth integer! month_of_birth integer "
        "day_of_birth integer birth_datetime timestamp race_concept_id integer! ethnicity_concept_id integer! "
        "location_id integer provider_id integer care_site_id integer person_source_value varchar(50) "
        "gender_source_value varchar(50) gender_source_concept_id integer race_source_value varchar(50) "
        "race_source_concept_id integer ethnicity_source_value varchar(50) ethnicity_source_concept_id integer"
    ),
    "observation_period": (
        "observation_period_id integer! person_id integer! observation_period_start_date date! "
        "observation_period_end_date date! period_type_concept_id integer!"
    ),
    "measurement": (
        "measurement_id integer! person_id integer! measurement_concept_id integer! measurement_date date! "
        "measurement_datetime timestamp measurement_time varchar(10) measurement_type_concept_id integer! "
        "operator_concept_id integer value_as_number numeric value_as_concept_id integer unit_concept_id integer "
        "range_low numeric range_high numeric provider_id integer visit_occurrence_id integer visit_detail_id integer "
        "measurement_source_value varchar(50) measurement_source_concept_id integer unit_source_value varchar(50) "
        "unit_source_concept_id integer value_source_value varchar(50) measurement_event_id integer "
        "meas_event_field_concept_id integer"
    ),
    "observation": (
        "observation_id integer! person_id integer! observation_concept_id integer! observation_date date! "
        "observation_datetime timestamp observation_type_concept_id integer! value_as_number numeric "
        "value_as_string varchar(60) value_as_concept_id integer qualifier_concept_id integer unit_concept_id integer "
        "provider_id integer visit_occurrence_id integer visit_detail_id integer observation_source_value varchar(50) "
        "observation_source_concept_id integer unit_source_value varchar(50) qualifier_source_value varchar(50) "
        "value_source_value varchar(50) observation_event_id integer obs_event_field_concept_id integer"
    ),
    "concept": (
        "concept_id integer! concept_name varchar(255)! domain_id varchar(20)! vocabulary_id varchar(20)! "
        "concept_class_id varchar(20)! standard_concept varchar(1) concept_code varchar(50)! valid_start_date date! "
        "valid_end_date date! invalid_reason varchar(1)"
    ),
    "vocabulary": (
        "vocabulary_id varchar(20)! vocabulary_name varchar(255)! vocabulary_reference varchar(255) "
        "vocabulary_version varchar(255) vocabulary_concept_id integer!"
    ),
    "cdm_source": (
        "cdm_source_name varchar(255)! cdm_source_abbreviation varchar(25)! cdm_holder varchar(255)! "
        "source_description text source_documentation_reference varchar(255) cdm_etl_reference varchar(255) "
        "source_release_date date! cdm_release_date date! cdm_version varchar(10) cdm_version_concept_id integer! "
        "vocabulary_version varchar(20)!"
    ),
}
PHQ_9 = "44261-6"
NAMES = {"character varying": "varchar", "timestamp without time zone": "timestamp"}
EVENT_IDS = {"measurement_id", "observation_id"}


def columns_of_cdm(table: str) -> dict[str, str]:
    words = CDM[table].split()
    return dict(zip(words[::2], words[1::2], strict=True))


def rows(engine: sa.Engine | sa.Connection, table: str) -> list[dict[str, Any]]:
    query = sa.text(f"SELECT * FROM affect_omop.{table}")
    if isinstance(engine, sa.Connection):
        return [dict(row) for row in engine.execute(query).mappings()]
    with engine.connect() as connection:
        return rows(connection, table)


@pytest.mark.parametrize("table", TABLES)
def test_views_have_the_columns_of_the_cdm_in_its_order(clinic: Settings, warehouse: sa.Engine, table: str) -> None:
    with warehouse.connect() as connection:
        query = sa.text((sql_dir() / "interop" / "list_omop_columns.sql").read_text())
        found = connection.execute(query, {"table_name": table}).all()
    shown = {}
    for column in found:
        name = NAMES.get(column.data_type, column.data_type)
        shown[column.column_name] = f"varchar({column.character_maximum_length})" if name == "varchar" else name
    wanted = {name: kind.rstrip("!") for name, kind in columns_of_cdm(table).items()}

    assert list(shown) == list(wanted)
    for name in EVENT_IDS & set(shown):
        assert shown.pop(name) == "bigint"
    assert shown.items() <= wanted.items()


@pytest.mark.parametrize("table", TABLES)
def test_what_the_cdm_requires_is_there(clinic: Settings, warehouse: sa.Engine, table: str) -> None:
    found = rows(warehouse, table)

    assert found
    for name, kind in columns_of_cdm(table).items():
        assert not kind.endswith("!") or all(row[name] is not None for row in found), name


def test_concepts_are_our_own_and_complete(clinic: Settings, warehouse: sa.Engine) -> None:
    concepts = {row["concept_id"]: row for row in rows(warehouse, "concept")}

    assert all(2_000_000_000 < number < 2**31 for number in concepts)
    codes = {row["concept_code"] for row in concepts.values()}
    assert {code.code for code in (*SCORES, *ALERTS)} | set(BIOMARKERS) <= codes
    for table in ("measurement", "observation"):
        for row in rows(warehouse, table):
            if row[f"{table}_source_value"] == PHQ_9:
                continue  # LOINC's, and the number of its concept is in a vocabulary that is not shipped
            concept = concepts[row[f"{table}_concept_id"]]
            assert concept["domain_id"] == table.capitalize()
            assert concept["concept_code"] == row[f"{table}_source_value"]
    (vocabulary,) = rows(warehouse, "vocabulary")
    assert concepts[vocabulary["vocabulary_concept_id"]]["concept_code"] == vocabulary["vocabulary_id"]


def test_measurements_say_what_was_heard_and_in_what_band(clinic: Settings, warehouse: sa.Engine) -> None:
    found = pd.DataFrame(rows(warehouse, "measurement"))

    assert len(found) == 3 * (len(SCORES) + len(BIOMARKERS)) + 1
    assert found["measurement_id"].is_unique
    logits = found[found["measurement_source_value"] == "depression-logit"]
    bands = logits[["value_as_number", "range_low", "range_high"]].astype(float)
    assert bands.drop_duplicates().to_numpy().tolist() == [[-1.1, -1.0, 1.0]]
    assert logits["value_source_value"].str.fullmatch("[0-9a-f]{50}").all()


def test_a_questionnaire_has_its_own_code_and_a_score_of_a_voice_never_has(
    clinic: Settings, warehouse: sa.Engine
) -> None:
    (found,) = (row for row in rows(warehouse, "measurement") if row["measurement_source_value"] == PHQ_9)

    assert (found["measurement_concept_id"], found["measurement_type_concept_id"]) == (0, 32862)
    assert (found["value_as_number"], found["unit_source_value"]) == (5, "{score}")


def test_alerts_and_unusable_recordings_are_observations(clinic: Settings, warehouse: sa.Engine) -> None:
    found = {row["observation_source_value"]: row for row in rows(warehouse, "observation")}

    assert set(found) == {"worsening", "quarantined"}
    assert (found["worsening"]["value_as_string"], found["worsening"]["qualifier_source_value"]) == ("high", "open")
    assert found["quarantined"]["value_as_string"] == "snr_at_least"


def test_a_year_of_birth_is_the_middle_of_the_band_and_who_has_none_is_left_out(
    clinic: Settings, warehouse: sa.Engine, tmp_path: Path
) -> None:
    profiles = {"ada": "30-39", "ben": None, "cleo": "80+"}
    with warehouse.begin() as connection:
        connection.exec_driver_sql("DELETE FROM affect.patients")
        for name, band in profiles.items():
            upsert(connection, "patients", frame(patient(name, age_band=band)))

    years = {row["person_source_value"]: row["year_of_birth"] for row in rows(warehouse, "person")}
    assert years == {key("ada"): 1991, key("cleo"): 1941}
    done = export(clinic, tmp_path)
    assert (done.counts["person"], done.n_without_age) == (2, 1)
    persons = {row["person_id"] for row in rows(warehouse, "person")}
    assert {row["person_id"] for row in rows(warehouse, "measurement")} < persons


def persons(engine: sa.Engine) -> dict[str, int]:
    with engine.connect() as connection:
        found = connection.execute(sa.text("SELECT patient_key, person_id FROM affect.omop_persons"))
        return {row.patient_key: row.person_id for row in found}


def test_persons_are_counted_by_integers_that_follow_from_pseudonyms(clinic: Settings, warehouse: sa.Engine) -> None:
    before = persons(warehouse)
    assert set(before) == {key("ada"), key("ben")}

    with warehouse.begin() as connection:
        connection.exec_driver_sql("SELECT affect_private.assign_persons_anew()")
    assert persons(warehouse) == before


def test_two_patients_never_share_an_integer(clinic: Settings, warehouse: sa.Engine) -> None:
    first = persons(warehouse)[key("ada")]
    with warehouse.begin() as connection:
        connection.exec_driver_sql("DELETE FROM affect.patients WHERE patient_key = %s", (key("ada"),))
        connection.exec_driver_sql("UPDATE affect.omop_persons SET patient_key = %s WHERE person_id = %s",
                                   (key("who hashes to the same"), first))  # fmt: skip
        upsert(connection, "patients", frame(patient("ada")))

    found = persons(warehouse)
    assert found[key("who hashes to the same")] == first
    assert found[key("ada")] != first
    assert len(set(found.values())) == len(found)


def test_row_level_security_holds_in_the_views(clinic: Settings, warehouse: sa.Engine) -> None:
    with warehouse.begin() as connection:
        connection.exec_driver_sql("UPDATE affect.patients SET clinic = 'south' WHERE patient_key = %s", (key("ben"),))
        connection.exec_driver_sql("DELETE FROM affect.people")
        connection.exec_driver_sql(
            "INSERT INTO affect.people (login, display_name, role, clinics) VALUES "
            "('ann', 'Ann', 'counselor', '{north}'), ('out', 'Out', 'counselor', '{}'), ('ada', 'Ada', 'analyst', '{}')"
        )
    seen = {}
    for login in ("ann", "out", "ada"):
        with as_person(warehouse, login) as connection:
            seen[login] = {row["person_source_value"] for row in rows(connection, "person")}
            ids = {row["person_id"] for row in rows(connection, "person")}
            for table in ("measurement", "observation", "observation_period"):
                assert {row["person_id"] for row in rows(connection, table)} <= ids
    assert seen == {"ann": {key("ada")}, "out": set(), "ada": {key("ada"), key("ben")}}


def test_all_views_lend_no_rights(warehouse: sa.Engine) -> None:
    with warehouse.connect() as connection:
        lending = connection.execute(
            sa.text(
                "SELECT c.relname FROM pg_class AS c WHERE c.relnamespace = 'affect_omop'::regnamespace "
                "AND NOT coalesce('security_invoker=true' = any(c.reloptions), false)"
            )
        ).scalars()
        assert list(lending) == []


@pytest.mark.parametrize("file_format", ["csv", "parquet"])
def test_files_fit_the_ddl_of_the_cdm(clinic: Settings, warehouse: sa.Engine, tmp_path: Path, file_format: Any) -> None:
    done = export(clinic, tmp_path, file_format, actor="max")

    for table, count in done.counts.items():
        file = tmp_path / f"{table}.{file_format}"
        found = pd.read_csv(file) if file_format == "csv" else pd.read_parquet(file)
        assert list(found.columns) == list(columns_of_cdm(table))
        assert (len(found), stat.S_IMODE(file.stat().st_mode)) == (count, 0o600)
        for name in EVENT_IDS & set(found.columns):
            assert found[name].between(1, 2**31 - 1).all()
            assert found[name].is_unique
        if table in NUMBERED:
            assert list(found[NUMBERED[table]]) == list(range(1, count + 1))
    assert list_events(warehouse, action="omop_exported", limit=1)[0]["actor"] == "max"


def test_an_export_may_be_of_one_patient(clinic: Settings, tmp_path: Path) -> None:
    assert export(clinic, tmp_path, patient_key=key("ada")).counts["person"] == 1
    assert export(clinic, tmp_path, patient_key=key("nobody")).counts["person"] == 0


def test_dates_are_those_of_the_patient(clinic: Settings, warehouse: sa.Engine) -> None:
    periods = rows(warehouse, "observation_period")

    assert {row["observation_period_start_date"] for row in periods} == {dt.date(2026, 1, 5)}
    assert {row["observation_period_end_date"] for row in periods} == {dt.date(2026, 1, 6)}
