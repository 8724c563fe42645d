"""Views and analyst queries on a small cohort whose story is known."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
import sqlalchemy as sa

from affect_pipeline.errors import AffectError
from affect_pipeline.monitoring.known import note
from affect_pipeline.nights import Nights
from affect_pipeline.warehouse.analyst import QueryError, list_queries, run_query
from affect_pipeline.warehouse.derive import derive_nights
from affect_pipeline.warehouse.dictionary import data_dictionary
from affect_pipeline.warehouse.load import upsert
from affect_pipeline.warehouse.queries import names, sql
from tests.warehouse.cohort import CHANGED, DAYS, NEW, PATIENTS, SECOND_MODEL, SILENT, clinic_of, load_cohort
from tests.warehouse.rows import DAY, MODEL, frame, key, monitored_day, phq

DOCS = Path(__file__).parents[2] / "docs"
EMPTY_WHEN_ALL_IS_WELL = {"find_orphans", "find_device_problems"}


@pytest.fixture(scope="module")
def cohort(module_warehouse: sa.Engine) -> sa.Engine:
    load_cohort(module_warehouse)
    return module_warehouse


def run(engine: sa.Engine, name: str, **values: object) -> pd.DataFrame:
    return run_query(engine, name, values)


@pytest.mark.parametrize("name", names("queries"))
def test_every_query_runs_and_finds_something(cohort: sa.Engine, name: str) -> None:
    assert run(cohort, name).empty == (name in EMPTY_WHEN_ALL_IS_WELL)


@pytest.mark.parametrize("name", names("queries"))
def test_every_query_is_in_the_analyst_guide(name: str) -> None:
    assert f"`{name}`" in (DOCS / "analyst-guide.md").read_text()


def test_queries_say_what_they_answer_and_name_their_parameters(cohort: sa.Engine) -> None:
    for query in list_queries():
        assert query.purpose
        with pytest.raises(QueryError, match=r"does not take no_such_parameter"):
            run(cohort, query.name, no_such_parameter="x")
    with pytest.raises(QueryError, match=r"there are .*list_open_alerts"):
        run(cohort, "no_such_query")


def test_patients_stand_where_their_story_says(cohort: sa.Engine) -> None:
    states = run(cohort, "list_patient_states").set_index("patient_key")["state"].to_dict()
    expected = dict.fromkeys(PATIENTS, "stable") | {CHANGED: "alert", NEW: "too_little_data"}
    assert states == {key(name): state for name, state in expected.items()}


def test_a_clinic_sees_its_own_alerts(cohort: sa.Engine) -> None:
    found = run(cohort, "list_open_alerts", clinic=clinic_of(CHANGED))
    assert found[["patient_key", "rank_in_clinic", "state"]].values.tolist() == [[key(CHANGED), 1, "new"]]
    assert run(cohort, "list_open_alerts", clinic="south").empty


def test_the_changed_patient_leads_the_reliable_changes(cohort: sa.Engine) -> None:
    found = run(cohort, "rank_reliable_changes")
    assert found["patient_key"].tolist()[:1] == [key(CHANGED)]
    assert found["reliable_change_index"].iloc[0] > 10


def test_who_stopped_recording_is_found(cohort: sa.Engine) -> None:
    found = run(cohort, "find_silent_patients")
    assert found[["patient_key", "days_silent"]].values.tolist() == [[key(SILENT), 12]]


def test_two_models_are_compared_on_the_same_recordings(cohort: sa.Engine) -> None:
    found = run(cohort, "compare_models", first=min(MODEL, SECOND_MODEL)[:8])
    assert found["n_journals"].tolist() == [5 * 42 - 12 + 5]
    assert found["depression_correlation"].iloc[0] == pytest.approx(1.0)
    assert abs(found["depression_logit_shift"].iloc[0]) == pytest.approx(0.25)


def test_a_trend_holds_the_running_week_and_the_deviation(cohort: sa.Engine) -> None:
    found = run(cohort, "show_patient_trend", patient_key=key(CHANGED)[:12], since=str(DAYS[35]))
    assert found["local_day"].tolist() == DAYS[35:]
    last = found.iloc[-1]
    assert last["mean_7_days"] == pytest.approx(found["value"].iloc[-7:].mean())
    assert last["deviation_sd"] == pytest.approx((last["value"] - last["expected"]) / 0.35)


def test_misses_are_counted_by_group_once_there_were_four_weeks_to_find_a_change_in(cohort: sa.Engine) -> None:
    onsets = {CHANGED: DAYS[12], "cleo": DAYS[5], "eve": DAYS[30]}
    with cohort.connect() as connection:
        for name, day in onsets.items():
            note(connection, key(name), day, "questionnaire", "ann")
        note(connection, key("cleo")[:20], DAYS[5], "admission", "ann")
        found = connection.execute(sa.text(sql("queries/rate_alerts_by_group")), {"dimension": "clinic"}).mappings()
        counts = {row["group_name"]: (row["n_known_changes"], row["n_missed"], row["miss_rate"]) for row in found}
        connection.rollback()
    assert counts == {"north": (2, 1, 0.5), "south": (0, 0, None)}


@pytest.mark.parametrize("prefix", ["", "no such patient"])
def test_a_known_change_belongs_to_one_patient(cohort: sa.Engine, prefix: str) -> None:
    with cohort.connect() as connection, pytest.raises(AffectError, match="patient key begins"):
        note(connection, prefix, DAYS[3], "questionnaire", "ann")


def test_nights_are_counted(cohort: sa.Engine) -> None:
    found = run(cohort, "summarise_nights").set_index("night")
    assert len(found) == len(DAYS)
    night = found.loc[DAYS[3]]
    assert night[["n_found", "n_journals", "n_quarantined", "n_accepted", "n_scored"]].tolist() == [5, 5, 1, 4, 5]
    assert found["n_alerts_opened"].sum() == found.loc[DAYS[36], "n_alerts_opened"] == 1


def test_orphans_are_found(warehouse: sa.Engine) -> None:
    with warehouse.begin() as connection:
        row = {"journal_id": "0" * 64, "suite_version": "1", "expectation": "e", "metric": "m", "value": 1.0}
        upsert(connection, "quality_checks", frame(row | {"verdict": "passed"}))
        connection.exec_driver_sql("INSERT INTO affect.audio_quality (journal_id) VALUES (%s)", ("0" * 64,))
        upsert(connection, "questionnaires", frame(phq("nobody", DAY, [0] * 9)))
    assert run(warehouse, "find_orphans")["table_name"].tolist() == ["audio_quality", "questionnaires"]


def test_reliability_is_the_one_of_the_textbook(warehouse: sa.Engine) -> None:
    """Two patients, two days each: MS between 4, MS within 0.5, ICC(1,1) = (4 - 0.5) / (4 + 0.5)."""
    values = {"one": (1.0, 2.0), "two": (3.0, 4.0)}
    rows = [
        monitored_day(name, local_day=DAYS[number], valence=value, valence_se=0.1)
        for name, days in values.items() for number, value in enumerate(days)
    ]  # fmt: skip
    with warehouse.begin() as connection:
        upsert(connection, "monitored_days", frame(*rows))
    found = run(warehouse, "measure_reliability").set_index("channel").loc["valence"]
    assert found["icc"] == pytest.approx(3.5 / 4.5)
    assert found["minimal_detectable_change"] == pytest.approx(1.96)


def test_acknowledged_and_resolved_alerts_change_their_state(cohort: sa.Engine) -> None:
    with cohort.connect() as connection:
        for kind, state in (("commented", "new"), ("acknowledged", "acknowledged"), ("resolved", "resolved")):
            connection.exec_driver_sql(
                "INSERT INTO affect.alert_actions (alert_id, actor, kind) VALUES (%s, 'ann', %s)", (key(CHANGED), kind)
            )
            found = connection.exec_driver_sql("SELECT state FROM affect.ranked_alerts").scalars().all()
            assert found == [state]
        connection.rollback()


def test_views_lend_no_rights(cohort: sa.Engine) -> None:
    with cohort.connect() as connection:
        options = connection.exec_driver_sql(
            "SELECT relname, reloptions FROM pg_class WHERE relnamespace = 'affect'::regnamespace AND relkind = 'v'"
        ).all()
    assert options
    assert all(row.reloptions == ["security_invoker=true"] for row in options)


def test_nights_that_share_a_recording_are_counted_anew_together(cohort: sa.Engine) -> None:
    """A duplicate on a later night is a duplicate there, and counts on the first."""
    last = DAYS[-1]
    with cohort.connect() as connection:
        twin = {"delivery_key": "f" * 32, "night": last, "patient_key": key("ada"), "problem": None}
        original = connection.exec_driver_sql("SELECT journal_id FROM affect.journals WHERE night = %s LIMIT 1", (DAY,))
        upsert(connection, "deliveries", frame(twin | {"journal_id": original.scalar_one()}))
        assert derive_nights(connection, Nights.one(last)) == 2
        rows = connection.exec_driver_sql(
            "SELECT n_found, n_journals, n_duplicates FROM affect.nights WHERE night IN (%s, %s) ORDER BY night",
            (DAY, last),
        ).all()
        connection.rollback()
    assert [tuple(row) for row in rows] == [(5, 5, 0), (6, 5, 1)]


def test_the_data_dictionary_is_current(warehouse: sa.Engine) -> None:
    """Mend it with `affect warehouse dictionary docs/data-dictionary.md`."""
    assert (DOCS / "data-dictionary.md").read_text() == data_dictionary(warehouse)
