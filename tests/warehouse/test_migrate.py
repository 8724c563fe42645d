"""Migrations are applied once, in order, whole, by one process at a time, and never change afterwards."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import sqlalchemy as sa

from affect_pipeline.errors import MigrationError
from affect_pipeline.warehouse.engine import create_engine
from affect_pipeline.warehouse.migrate import migrate, migrations_on_disk
from affect_pipeline.warehouse.queries import sql_dir
from tests.conftest import Server, administrator


@pytest.fixture
def empty(postgres_server: Server, request: pytest.FixtureRequest) -> Iterator[sa.Engine]:
    """An empty database."""
    name = f"empty_{abs(hash(request.node.nodeid))}"
    with administrator(postgres_server).connect() as connection:
        connection.exec_driver_sql(f"CREATE DATABASE {name} TEMPLATE template0 STRATEGY file_copy")
    engine = create_engine(postgres_server.url(name))
    yield engine
    engine.dispose()
    with administrator(postgres_server).connect() as connection:
        connection.exec_driver_sql(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def ours(tmp_path: Path) -> Path:
    """A copy of the SQL files that a test may change."""
    return shutil.copytree(sql_dir(), tmp_path / "sql")


def count_tables(engine: sa.Engine) -> int:
    with engine.connect() as connection:
        query = "SELECT count(*) FROM pg_tables WHERE schemaname = 'affect'"
        return int(connection.exec_driver_sql(query).scalar_one())


def test_a_new_database_gets_everything_and_then_nothing(empty: sa.Engine) -> None:
    names = [migration.name for migration in migrations_on_disk()]
    assert names
    assert migrate(empty) == [*names, "repeatable"]
    assert migrate(empty) == []


def test_of_many_processes_at_once_one_migrates(empty: sa.Engine) -> None:
    with ThreadPoolExecutor(4) as pool:
        results = list(pool.map(lambda _: migrate(empty), range(4)))
    assert sorted(map(bool, results)) == [False, False, False, True]


def test_an_edited_past_migration_is_refused_by_name(empty: sa.Engine, ours: Path) -> None:
    migrate(empty, ours)
    edited = ours / "migrations" / "0002_measurements.sql"
    edited.write_text(edited.read_text() + "-- a harmless remark\n")
    with pytest.raises(MigrationError, match=r"0002_measurements was edited .* new migration"):
        migrate(empty, ours)


def test_a_warehouse_of_a_newer_version_is_refused(empty: sa.Engine, ours: Path) -> None:
    newer = ours / "migrations" / "9999_future.sql"
    newer.write_text("SELECT 1;\n")
    migrate(empty, ours)
    newer.unlink()
    with pytest.raises(MigrationError, match=r"9999_future was applied .* newer affect-pipeline"):
        migrate(empty, ours)


def test_a_migration_that_fails_changes_nothing(empty: sa.Engine, ours: Path) -> None:
    migrate(empty, ours)
    before = count_tables(empty)
    (ours / "migrations" / "9998_good.sql").write_text("CREATE TABLE affect.fresh (x integer);\n")
    (ours / "migrations" / "9999_bad.sql").write_text("SELECT no_such_column;\n")
    with pytest.raises(MigrationError, match="9999_bad failed, nothing was changed"):
        migrate(empty, ours)
    assert count_tables(empty) == before


def late(folder: Path) -> None:
    (folder / "0000_late.sql").write_text("SELECT 1;\n")


def twice(folder: Path) -> None:
    (folder / "0001_again.sql").write_text("SELECT 1;\n")


def misnamed(folder: Path) -> None:
    (folder / "new-table.sql").write_text("SELECT 1;\n")


@pytest.mark.parametrize(
    ("change", "message"),
    [(late, "0000_late comes before"), (twice, "share a number"), (misnamed, "new-table.sql should be called")],
)
def test_numbers_must_go_up(empty: sa.Engine, ours: Path, change: Callable[[Path], None], message: str) -> None:
    migrate(empty, ours)
    change(ours / "migrations")
    with pytest.raises(MigrationError, match=message):
        migrate(empty, ours)


def test_changed_views_and_functions_are_put_up_anew(empty: sa.Engine, ours: Path) -> None:
    migrate(empty, ours)
    (ours / "views" / "zz_extra.sql").write_text("CREATE VIEW affect.extra AS SELECT 1 AS one;\n")
    assert migrate(empty, ours) == ["repeatable"]
    assert migrate(empty, ours) == []


def test_every_table_view_and_column_has_a_comment(warehouse: sa.Engine) -> None:
    with warehouse.connect() as connection:
        missing = connection.exec_driver_sql(
            "SELECT c.relname, a.attname FROM pg_class AS c JOIN pg_attribute AS a ON a.attrelid = c.oid "
            "WHERE c.relnamespace = 'affect'::regnamespace AND c.relkind IN ('r', 'p', 'v') AND NOT c.relispartition "
            "AND a.attnum > 0 AND NOT a.attisdropped AND (obj_description(c.oid, 'pg_class') IS NULL "
            "OR c.relkind <> 'v' AND col_description(c.oid, a.attnum) IS NULL)"
        ).all()
    assert missing == []


def test_days_that_lay_in_long_tables_keep_their_values_and_judgements(empty: sa.Engine, tmp_path: Path) -> None:
    before = tmp_path / "before"
    (before / "migrations").mkdir(parents=True)
    for path in sorted((sql_dir() / "migrations").glob("*.sql")):
        if path.stem < "0030":
            shutil.copy(path, before / "migrations")
    migrate(empty, before)
    values = [("p", "m", "adherence", 1.0, None, 2), ("p", "m", "depression", 1.5, 0.1, 2)]
    charts = [("combined", None, None, None, 3.0, 2.0, True), ("depression", 1.0, 0.5, 1.5, 1.25, None, True)]
    with empty.begin() as connection:
        for row in values:
            connection.exec_driver_sql(
                "INSERT INTO affect.day_values (patient_key, model_digest, channel, value, se, n_journals, local_day) "
                "VALUES (%s, %s, %s, %s, %s, %s, '2026-01-31')", row
            )  # fmt: skip
        for chart in charts:
            connection.exec_driver_sql(
                "INSERT INTO affect.chart_days (patient_key, model_digest, local_day, channel, expected, band_low, "
                "band_high, statistic, limit_value, signal) "
                "VALUES ('p', 'm', '2026-01-31', %s, %s, %s, %s, %s, %s, %s)", chart
            )  # fmt: skip

    migrate(empty)

    with empty.connect() as connection:
        columns = "patient_key, model_digest, channel, value, se, n_journals"
        found = connection.exec_driver_sql(f"SELECT {columns} FROM affect.day_values ORDER BY channel").all()
        assert [tuple(row) for row in found] == values
        columns = "channel, expected, band_low, band_high, statistic, limit_value, signal"
        found = connection.exec_driver_sql(f"SELECT {columns} FROM affect.chart_days ORDER BY channel").all()
        assert [tuple(row) for row in found] == charts
