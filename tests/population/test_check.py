"""Nights of a small cohort in the warehouse: steady, with a microphone update, and with too little data."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from affect_pipeline.nights import Nights
from affect_pipeline.population.check import PopulationCheck, check_population, report_path
from affect_pipeline.population.compare import Rules
from affect_pipeline.population.measures import DIMENSIONS, MEASURES
from affect_pipeline.population.report import write_report
from affect_pipeline.settings import Settings
from affect_pipeline.warehouse.engine import connect, disconnect
from tests.conftest import WarehouseMaker
from tests.population.cohort import LAST_NIGHT, Update, load
from tests.warehouse.rows import MODEL

NIGHT = Nights.one(LAST_NIGHT)


@dataclass(frozen=True)
class Cohort:
    """A warehouse with a cohort in it."""

    settings: Settings

    @property
    def engine(self) -> sa.Engine:
        return connect(self.settings)

    def check(self, nights: Nights = NIGHT, rules: Rules | None = None) -> PopulationCheck:
        with self.engine.begin() as connection:
            return check_population(connection, nights, MODEL, rules)

    def rows(self, statement: str) -> list[Any]:
        with self.engine.connect() as connection:
            return list(connection.execute(sa.text(statement)).all())


@pytest.fixture(scope="module")
def steady(new_warehouse: WarehouseMaker, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cohort]:
    yield from made(new_warehouse(tmp_path_factory.mktemp("steady") / "home"), None)


@pytest.fixture(scope="module")
def updated(new_warehouse: WarehouseMaker, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cohort]:
    yield from made(new_warehouse(tmp_path_factory.mktemp("updated") / "home"), Update())


def made(settings: Settings, update: Update | None) -> Iterator[Cohort]:
    cohort = Cohort(settings)
    load(cohort.engine, n_patients=40, update=update)
    yield cohort
    disconnect(settings)


def found(check: PopulationCheck) -> set[tuple[str, str, str]]:
    return {(one.paired.dimension, one.paired.part, one.paired.measure) for one in check.shifts}


def test_a_steady_cohort_has_not_shifted(steady: Cohort) -> None:
    check = steady.check()

    assert found(check) == set()
    assert check.counts["n_population_compared"] > 100


def test_every_measure_is_compared_in_every_dimension_it_belongs_to(steady: Cohort) -> None:
    seen = {(one.paired.dimension, one.paired.measure) for one in steady.check().comparisons}

    for measure in MEASURES:
        whole = "model_version" if measure.kind == "score" else "all"
        assert {dimension for dimension, name in seen if name == measure.name} == {
            whole, "device", "clinic", "language"
        }  # fmt: skip
    assert {dimension for dimension, _ in seen} == set(DIMENSIONS)


def test_a_microphone_update_is_found_on_the_device_that_got_it(updated: Cohort) -> None:
    shifts = found(updated.check())

    assert {("device", "phone-b", "energy_mean_db"), ("device", "phone-b", "level_dbfs")} <= shifts
    assert not [shift for shift in shifts if shift[:2] == ("device", "phone-a")]
    assert {measure for _, _, measure in shifts} == {"energy_mean_db", "level_dbfs"}


def test_a_new_clinic_cannot_be_compared_yet_and_says_why(steady: Cohort) -> None:
    west = [one for one in steady.check().comparisons if one.paired.part == "west"]

    assert {one.state for one in west} == {"too_little_data"}
    assert "10 are needed" in str(west[0].reason)


def test_what_is_written_is_a_function_of_the_journals_and_the_night(updated: Cohort) -> None:
    statement = "SELECT t::text FROM affect.population_comparisons AS t ORDER BY 1"
    updated.check()
    first = updated.rows(statement)

    updated.check(Nights(LAST_NIGHT - timedelta(days=30), LAST_NIGHT))

    assert updated.rows(statement) == first


def test_a_night_before_anything_arrived_is_written_down_as_such(steady: Cohort) -> None:
    (one,) = steady.check(Nights.one(LAST_NIGHT - timedelta(days=400))).comparisons

    assert (one.state, one.paired.n_current) == ("too_little_data", 0)


def test_no_more_patients_are_read_than_the_rules_say(steady: Cohort) -> None:
    check = steady.check(rules=Rules(max_patients=15))

    assert max(one.paired.n_current for one in check.comparisons) <= 15


def test_a_report_shows_what_shifted_and_names_no_patient(updated: Cohort) -> None:
    path = report_path(updated.settings, NIGHT)

    assert path == updated.settings.docs_dir / "2026-03-01-population.html"
    assert write_report(updated.check(), path)

    page = path.read_text()
    assert "mean energy (dB), device phone-b" in page
    assert "t test of one difference a patient, Holm" in page
    keys = [key for (key,) in updated.rows("SELECT patient_key FROM affect.patients")]
    ids = [key for (key,) in updated.rows("SELECT journal_id FROM affect.journals")]
    assert not [key for key in keys if key[:12] in page]
    assert not [key for key in ids if key[:12] in page]
    assert 'src="http' not in page


def test_the_order_in_which_patients_are_drawn_says_nothing_of_who_they_are(updated: Cohort) -> None:
    for drawn in updated.check().drawn:
        assert list(drawn.reference) == sorted(drawn.reference)
        assert len(drawn.reference) == len(drawn.current) == drawn.comparison.paired.n_patients


def test_where_nothing_could_be_compared_there_is_no_report(steady: Cohort, tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    path.write_text("of a run before")

    assert not write_report(steady.check(rules=Rules(min_patients=1000)), path)
    assert not path.exists()


SILENT = """
import sys

def watch(event, arguments):
    if event in ("socket.connect", "socket.getaddrinfo", "socket.sendto", "socket.sendmsg") or "Popen" in event:
        raise SystemExit(f"{event} {arguments}")

sys.addaudithook(watch)
from datetime import date
from pathlib import Path
import numpy as np
from affect_pipeline.population.check import Drawn, PopulationCheck
from affect_pipeline.population.compare import Comparison, Paired
from affect_pipeline.population.report import QUIET, evidently_in_silence, write_report

one = Comparison(Paired("all", "everybody", "snr_db", 30, 30), "steady", None, 0.1, 0.1, 0.5, 0.01)
drawn = Drawn(one, np.arange(30.0), np.arange(30.0) + 0.1)
assert write_report(PopulationCheck(date(2026, 3, 1), (one,), (drawn,)), Path(sys.argv[1]))
print(sorted(name for name in sys.modules if name in ("iterative_telemetry", "evidently.telemetry")))
with evidently_in_silence():
    from evidently.telemetry import event_logger
    print(event_logger.is_enabled())
    event_logger.send_event("a", "b")
"""


def test_making_a_report_connects_to_nothing_starts_no_process_and_loads_no_telemetry_which_would_be_silent(
    tmp_path: Path,
) -> None:
    environment = {name: value for name, value in os.environ.items() if "TRACK" not in name}
    environment |= {"HOME": str(tmp_path), "XDG_CONFIG_HOME": str(tmp_path)}
    command = [sys.executable, "-W", "ignore", "-c", SILENT, str(tmp_path / "report.html")]

    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)

    assert (done.returncode, done.stdout.split()) == (0, ["[]", "False"]), done.stderr[-2000:]
