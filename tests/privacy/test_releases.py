"""Releases are paid for before anything is read, from a budget that nobody can overspend or rewrite."""

from __future__ import annotations

import csv
import datetime as dt
import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import sqlalchemy as sa
from typer.testing import CliRunner

from affect_pipeline.cli import build
from affect_pipeline.errors import BudgetSpent, ModelError
from affect_pipeline.privacy.audit import list_events, verify
from affect_pipeline.privacy.release_noise import ReleasePlan, rho_of
from affect_pipeline.privacy.releases import last_weeks, read_budget, read_records, release_trends, set_budget
from affect_pipeline.settings import get_settings
from affect_pipeline.warehouse.load import upsert
from tests.conftest import WarehouseMaker
from tests.warehouse.cohort import CHANGED, DAYS, PATIENTS, load_cohort
from tests.warehouse.rows import DAY, MODEL, frame, key, patient

PLAN = ReleasePlan(DAY, 4, rho_of(1.0, 1e-6), channels=("depression",))


@pytest.fixture
def cohort(warehouse: sa.Engine) -> sa.Engine:
    load_cohort(warehouse)
    return warehouse


def rows_of(engine: sa.Engine, table: str) -> int:
    with engine.connect() as connection:
        return int(connection.exec_driver_sql(f"SELECT count(*) FROM affect.{table}").scalar_one())


def test_without_a_budget_nothing_is_released(warehouse: sa.Engine) -> None:
    with pytest.raises(BudgetSpent, match="no privacy budget"):
        release_trends(warehouse, PLAN, MODEL)


def test_a_spent_budget_refuses_before_anything_is_read(cohort: sa.Engine) -> None:
    set_budget(cohort, 1.2, 1e-6, "a test")
    release_trends(cohort, PLAN, MODEL)
    with cohort.begin() as connection:  # whoever read patients now would fail otherwise than for the budget
        connection.exec_driver_sql("ALTER TABLE affect.monitored_days RENAME TO elsewhere")

    with pytest.raises(BudgetSpent, match="Nothing was computed"):
        release_trends(cohort, PLAN, MODEL)

    assert rows_of(cohort, "privacy_releases") == 1
    assert [event["action"] for event in list_events(cohort)] == [
        "release_refused", "trends_released", "privacy_budget_set",
    ]  # fmt: skip
    assert verify(cohort).holds


def test_a_release_that_fails_costs_nothing(cohort: sa.Engine) -> None:
    set_budget(cohort, 1.2, 1e-6, "a test")
    with cohort.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE affect.monitored_days RENAME TO elsewhere")

    with pytest.raises(sa.exc.ProgrammingError):
        release_trends(cohort, PLAN, MODEL)

    budget = read_budget(cohort)
    assert budget is not None
    assert budget.spent_rho == 0


def test_releases_at_once_do_not_overspend(cohort: sa.Engine) -> None:
    set_budget(cohort, 2.0, 1e-6, "room for a few")

    def one(_: int) -> bool:
        try:
            release_trends(cohort, PLAN, MODEL)
        except BudgetSpent:
            return False
        return True

    with ThreadPoolExecutor(5) as pool:
        made = sum(pool.map(one, range(8)))

    budget = read_budget(cohort)
    assert budget is not None
    assert 0 < made < 8
    assert made == budget.n_releases
    assert budget.spent_rho <= budget.rho
    assert budget.spent_rho + budget.spent_rho / made > budget.rho  # and nothing that fits was refused


def test_the_ledger_is_guarded_by_the_warehouse_itself(cohort: sa.Engine) -> None:
    set_budget(cohort, 1.2, 1e-6, "a test")
    release_trends(cohort, PLAN, MODEL)
    attempts = (
        "UPDATE affect.privacy_releases SET rho = 1e-9",
        "DELETE FROM affect.privacy_releases",
        "TRUNCATE affect.privacy_budgets",
        "UPDATE affect.released_trends SET value = 1",
        "INSERT INTO affect.privacy_releases SELECT * FROM affect.privacy_releases",
    )
    for statement in attempts:
        with pytest.raises(sa.exc.DBAPIError, match=r"only ever added|budget"), cohort.begin() as connection:
            connection.exec_driver_sql(statement)

    def stale(connection: sa.Connection) -> None:
        """Spend on what was seen before the other release: repeatable read."""
        connection.exec_driver_sql(
            "INSERT INTO affect.privacy_releases (actor, rho, epsilon, delta, model_digest, first_week, n_weeks, "
            "weeks_per_patient, least_patients, channels, clinics) "
            "VALUES ('x', 0.001, 1, 1e-6, 'm', '2026-01-05', 1, 1, 1, '{}', '{}')"
        )

    engine = cohort.execution_options(isolation_level="REPEATABLE READ")
    with engine.connect() as first:
        first.exec_driver_sql("SELECT 1 FROM affect.privacy_budgets")
        with engine.begin() as second:
            stale(second)
        with pytest.raises(sa.exc.IntegrityError, match="privacy_releases_pkey"):
            stale(first)


def test_a_release_is_on_record_and_in_files(
    new_warehouse: WarehouseMaker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = new_warehouse(tmp_path / "home")
    monkeypatch.setenv("AFFECT_HOME", str(settings.home))
    monkeypatch.setenv("AFFECT_WAREHOUSE_URL", settings.warehouse_url)
    get_settings.cache_clear()
    try:
        from affect_pipeline.warehouse.engine import connect

        engine = connect(settings)
        load_cohort(engine)
        run = CliRunner().invoke
        assert "no budget" in run(build(), ["privacy", "budget"]).output
        assert "epsilon 50" in run(build(), ["privacy", "budget", "--epsilon", "50", "--reason", "a test"]).output
        asked = ["privacy", "release", "--epsilon", "20", "--through", f"{DAYS[-1]}", "--channel", "depression"]
        planned = run(build(), [*asked, "--plan"])
        made = run(build(), [*asked, "--least-patients", "1", "--model", MODEL])
        spent = run(build(), ["privacy", "budget"])
    finally:
        get_settings.cache_clear()

    assert planned.exit_code == made.exit_code == 0, made.output
    assert "error bar" in planned.output
    assert "by 1 releases" in spent.output
    written = json.loads((settings.home / "releases" / "release-0001.json").read_text())
    with (settings.home / "releases" / "release-0001.csv").open(newline="") as file:
        table = list(csv.DictReader(file))
    assert written["release"]["epsilon"] == pytest.approx(20, rel=1e-3)
    assert any("one patient" in note for note in written["notes"])
    assert any("acted affect" in note for note in written["notes"])
    assert len(table) == len(written["figures"]) == 4 * 3 == rows_of(engine, "released_trends")
    counts = [float(row["value"]) for row in table if row["measure"] == "patients"]
    assert all(abs(count - len(PATIENTS)) < 12 for count in counts)
    assert not any(key(name) in (settings.home / "releases" / "release-0001.json").read_text() for name in PATIENTS)


def test_what_is_released_is_of_who_recorded_in_whole_weeks(cohort: sa.Engine) -> None:
    with cohort.begin() as connection:
        upsert(connection, "patients", frame(patient("eve", consent_withdrawn_night=DAY)))
        weeks = ReleasePlan(DAY, 6, 1.0, channels=("depression",), clinics=("north",))
        everybody = read_records(connection, ReleasePlan(DAY, 6, 1.0, channels=("depression",)), MODEL)
        north = read_records(connection, weeks, MODEL)

    assert len(everybody.present) == len(PATIENTS) - 1  # who withdrew is in no release
    assert len(north.present) == 3
    changed = sorted(key(name) for name in PATIENTS if name != "eve").index(key(CHANGED))
    assert everybody.in_alert[changed].tolist() == [False] * 5 + [True]
    assert everybody.in_alert.sum() == 1
    assert last_weeks(4, dt.date(2026, 2, 15)) == dt.date(2026, 1, 19)  # a Sunday ends its week
    assert last_weeks(4, dt.date(2026, 2, 14)) == dt.date(2026, 1, 12)


def test_nothing_scored_is_nothing_to_release(warehouse: sa.Engine) -> None:
    set_budget(warehouse, 1.5, 1e-6, "a test")
    with pytest.raises(ModelError, match="nothing has been scored"):
        release_trends(warehouse, PLAN)
