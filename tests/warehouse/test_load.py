"""Loading rows leaves the same tables whatever the order and however often."""

from __future__ import annotations

import datetime as dt
import itertools
import math

import pandas as pd
import psycopg
import pyarrow as pa
import pytest
import sqlalchemy as sa

from affect_pipeline.errors import LoadError
from affect_pipeline.warehouse.load import upsert
from tests.warehouse.rows import DAY, alert, biomarkers, digest, frame, journal, key, monitored_day, patient, score


def read(engine: sa.Engine, query: str) -> list[tuple[object, ...]]:
    with engine.connect() as connection:
        return [tuple(row) for row in connection.exec_driver_sql(query)]


def load(engine: sa.Engine, table: str, *rows: dict[str, object]) -> int:
    with engine.begin() as connection:
        return upsert(connection, table, frame(*rows))


def test_rows_arrive_as_they_were(warehouse: sa.Engine) -> None:
    logit = 0.1 + 0.2
    assert load(warehouse, "scores", score(depression_logit=logit, valence=math.nan)) == 1
    rows = read(warehouse, "SELECT local_day, journal_id, depression_logit, valence, n_windows FROM affect.scores")
    assert rows == [(DAY, digest("one"), logit, None, 2)]


@pytest.mark.parametrize("value", [5e-324, 1.7976931348623157e308, 0.1, -1 / 3, 123456789.123456789])
def test_floats_keep_every_bit(warehouse: sa.Engine, value: float) -> None:
    load(warehouse, "biomarkers", biomarkers(f0_median_hz=value))
    assert read(warehouse, "SELECT f0_median_hz FROM affect.biomarkers") == [(value,)]


def test_arrow_tables_load_like_pandas_frames(warehouse: sa.Engine) -> None:
    with warehouse.begin() as connection:
        upsert(connection, "journals", pa.Table.from_pylist([journal()]))
    assert read(warehouse, "SELECT journal_id, recorded_at, problem, status, failed FROM affect.journals") == [
        (digest("one"), dt.datetime(2026, 1, 5, 7, 12, tzinfo=dt.UTC), None, "pending", [])
    ]


def test_months_are_made_as_they_are_needed(warehouse: sa.Engine) -> None:
    days = [dt.date(2025, 12, 31), dt.date(2026, 1, 1), dt.date(2026, 1, 31), dt.date(2026, 2, 1)]
    load(warehouse, "scores", *(score(str(day), local_day=day) for day in days))
    partitions = read(warehouse, "SELECT tableoid::regclass::text, count(*) FROM affect.scores GROUP BY 1 ORDER BY 1")
    assert partitions == [("scores_2025_12", 1), ("scores_2026_01", 2), ("scores_2026_02", 1)]


def test_loading_again_replaces(warehouse: sa.Engine) -> None:
    load(warehouse, "scores", score(valence=0.1), score("two"))
    load(warehouse, "scores", score(valence=0.9))
    assert read(warehouse, "SELECT valence FROM affect.scores ORDER BY valence") == [(0.1,), (0.9,)]


def test_two_loads_in_one_transaction(warehouse: sa.Engine) -> None:
    with warehouse.begin() as connection:
        upsert(connection, "scores", frame(score()))
        upsert(connection, "scores", frame(score("two")))
    assert read(warehouse, "SELECT count(*) FROM affect.scores") == [(2,)]


def test_a_transaction_that_fails_leaves_nothing(warehouse: sa.Engine) -> None:
    with warehouse.connect() as connection:
        upsert(connection, "scores", frame(score()))
        with pytest.raises(sa.exc.ProgrammingError):
            connection.exec_driver_sql("SELECT no_such_column")
    assert read(warehouse, "SELECT count(*) FROM affect.scores") == [(0,)]


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
def test_the_least_delivery_of_a_recording_counts_in_any_order(warehouse: sa.Engine, order: tuple[int, ...]) -> None:
    deliveries = [
        journal(night=dt.date(2026, 1, 6), delivery_key=key("a"), local_day=dt.date(2026, 1, 6)),
        journal(night=DAY, delivery_key="f" * 32, local_day=dt.date(2026, 1, 3)),
        journal(night=DAY, delivery_key="0" * 32, local_day=dt.date(2026, 2, 1), patient_key=key("other")),
    ]
    for index in order:
        load(warehouse, "journals", deliveries[index])
        load(warehouse, "scores", score(local_day=deliveries[index]["local_day"]))
        load(warehouse, "biomarkers", biomarkers(local_day=deliveries[index]["local_day"]))
    expected = [(dt.date(2026, 2, 1), key("other"))]
    assert read(warehouse, "SELECT night, delivery_key FROM affect.journals") == [(DAY, "0" * 32)]
    for table in ("journals", "scores", "biomarkers"):
        assert read(warehouse, f"SELECT local_day, patient_key FROM affect.{table}") == expected


def test_the_least_delivery_counts_within_one_frame(warehouse: sa.Engine) -> None:
    load(warehouse, "journals", journal(delivery_key="f" * 32), journal(delivery_key="0" * 32, device="first"))
    assert read(warehouse, "SELECT device FROM affect.journals") == [("first",)]


def test_a_verdict_stays_when_a_night_is_collected_again(warehouse: sa.Engine) -> None:
    load(warehouse, "journals", journal(), journal("two"))
    failed = {"journal_id": digest("one"), "status": "quarantined", "failed": ['snr "low"', "a,b\\c"], "warned": []}
    load(warehouse, "journal_verdicts", failed)
    load(warehouse, "journals", journal(), journal("two"))
    rows = read(warehouse, "SELECT status, failed, warned FROM affect.journals ORDER BY status DESC")
    assert rows == [("quarantined", ['snr "low"', "a,b\\c"], []), ("pending", [], [])]


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
def test_the_newest_profile_of_a_patient_counts_in_any_order(warehouse: sa.Engine, order: tuple[int, ...]) -> None:
    at = dt.datetime(2026, 1, 5, tzinfo=dt.UTC)
    profiles = [
        patient(profile_at=at, clinic="old", first_night=dt.date(2026, 1, 7)),
        patient(profile_at=at + dt.timedelta(days=1), clinic="new", first_night=dt.date(2026, 1, 9)),
        patient(profile_at=None, clinic="undated", first_night=DAY, consent_withdrawn_night=dt.date(2026, 1, 8)),
    ]
    for index in order:
        load(warehouse, "patients", profiles[index])
    rows = read(warehouse, "SELECT clinic, first_night, consent_withdrawn_night FROM affect.patients")
    assert rows == [("new", DAY, dt.date(2026, 1, 8))]


def test_json_and_arrays_arrive(warehouse: sa.Engine) -> None:
    load(warehouse, "drift_alerts", alert(channels={"b": [1, None], "a": 'quote "'}))
    baseline = {
        "patient_key": key("p"), "model_digest": digest("m"), "channel": "valence", "segment": 0, "state": "ready",
        "reason": None, "ready_on": DAY, "first_day": DAY, "last_day": DAY, "n_days": 14, "mean": 0.1, "sd": 0.2,
        "autocorrelation": 0.3, "weekday_effects": [0.1, None, -0.3], "as_of_night": DAY,
    }  # fmt: skip
    load(warehouse, "baselines", baseline)
    assert read(warehouse, "SELECT channels FROM affect.drift_alerts") == [({"b": [1, None], "a": 'quote "'},)]
    assert read(warehouse, "SELECT weekday_effects FROM affect.baselines") == [([0.1, None, -0.3],)]


def test_empty_frames_are_fine(warehouse: sa.Engine) -> None:
    with warehouse.begin() as connection:
        assert upsert(connection, "scores", frame(score()).iloc[:0]) == 0


def test_what_does_not_fit_is_refused_by_name(warehouse: sa.Engine) -> None:
    cases: list[tuple[str, pd.DataFrame, str]] = [
        ("scores", frame(score()).drop(columns="valence"), "lack valence"),
        ("scores", frame(score() | {"source_id": "x"}), "no column source_id"),
        ("scores", frame(score(n_windows=1.5)), "n_windows does not fit integer"),
        ("no_such_table", frame(score()), "no load called 'no_such_table'"),
    ]
    for table, rows, message in cases:
        with pytest.raises(LoadError, match=message), warehouse.begin() as connection:
            upsert(connection, table, rows)


@pytest.mark.parametrize(("column", "value"), [("depression_probability", 1.5), ("valence", -2.0), ("arousal", 7.0)])
def test_impossible_scores_are_refused(warehouse: sa.Engine, column: str, value: float) -> None:
    with pytest.raises(psycopg.errors.CheckViolation, match="violates check constraint"):
        load(warehouse, "scores", score(**{column: value}))


def test_what_charts_said_of_a_day_stays_until_they_judge_it_again(warehouse: sa.Engine) -> None:
    judged = {"depression_expected": 0.5, "depression_half_band": 0.25, "depression_level": 1.5}
    load(warehouse, "monitored_days", monitored_day(
        depression=1.0, valence=0.1, statistic=3.0, limit_value=2.0, signal=True, **judged
    ))  # fmt: skip
    load(warehouse, "monitored_days", monitored_day(depression=2.0))

    values = read(warehouse, "SELECT channel, value, se FROM affect.day_values ORDER BY channel")
    charts = read(
        warehouse,
        "SELECT channel, expected, band_low, band_high, statistic, limit_value, signal "
        "FROM affect.chart_days ORDER BY channel",
    )
    assert values == [("adherence", 1.0, None), ("depression", 2.0, None)]
    assert charts == [("combined", None, None, None, 3.0, 2.0, True), ("depression", 0.5, 0.25, 0.75, 1.5, None, True)]
