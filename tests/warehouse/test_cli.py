"""`affect warehouse` as people type it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pandas as pd
import pytest
from typer.testing import CliRunner, Result

from affect_pipeline.cli import build
from affect_pipeline.errors import MigrationError
from affect_pipeline.settings import Settings, get_settings
from affect_pipeline.warehouse.engine import connect
from tests.warehouse.cohort import load_cohort

Affect = Callable[..., Result]


@pytest.fixture
def affect(warehouse_settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[Affect]:
    """Run `affect warehouse ...` on a fresh warehouse, configured by the environment."""
    monkeypatch.setenv("AFFECT_HOME", str(warehouse_settings.home))
    monkeypatch.setenv("AFFECT_WAREHOUSE_URL", warehouse_settings.warehouse_url)
    monkeypatch.setenv("COLUMNS", "200")
    get_settings.cache_clear()

    def run(*arguments: str) -> Result:
        return CliRunner().invoke(build(), ["warehouse", *arguments])

    yield run
    get_settings.cache_clear()


def test_hash_prints_every_table_and_the_total(affect: Affect) -> None:
    printed = affect("hash").output
    total = affect("hash", "--total").output.strip()
    assert re.fullmatch(r"[0-9a-f]{64}", total)
    assert re.search(rf"total +0 +{total}", printed)
    assert {"scores", "journals", "drift_alerts"} <= set(printed.split())


def test_migrate_says_when_there_is_nothing_to_do(affect: Affect) -> None:
    assert "up to date" in affect("migrate").output


def test_queries_print_a_table_or_write_files(affect: Affect, warehouse_settings: Settings, tmp_path: Path) -> None:
    load_cohort(connect(warehouse_settings))
    assert "list_open_alerts" in affect("query", "list").output
    assert "worsening" in affect("query", "list_open_alerts", "clinic=north").output
    files = {"--csv": tmp_path / "trend.csv", "--parquet": tmp_path / "trend.parquet"}
    for option, file in files.items():
        assert affect("query", "show_patient_trend", "channel=depression", option, str(file)).exit_code == 0
    csv, parquet = pd.read_csv(files["--csv"]), pd.read_parquet(files["--parquet"])
    assert len(csv) == len(parquet) > 0
    assert csv["value"].to_list() == parquet["value"].to_list()


def test_the_dictionary_is_written(affect: Affect, tmp_path: Path) -> None:
    assert affect("dictionary", str(tmp_path / "dictionary.md")).exit_code == 0
    assert "### scores" in (tmp_path / "dictionary.md").read_text()


def test_backup_and_restore_go_round(affect: Affect, warehouse_settings: Settings, tmp_path: Path) -> None:
    load_cohort(connect(warehouse_settings))
    before = affect("hash", "--total").output
    file = str(tmp_path / "warehouse.dump")
    assert affect("backup", file).exit_code == 0
    refused = affect("restore", file)
    assert "--replace" in str(refused.exception)
    assert affect("restore", file, "--replace").exit_code == 0
    assert affect("hash", "--total").output == before


def test_an_empty_database_is_told_what_to_do(affect: Affect, warehouse_settings: Settings) -> None:
    with connect(warehouse_settings).begin() as connection:
        connection.exec_driver_sql("DROP SCHEMA affect CASCADE")
    refused = affect("hash")
    assert isinstance(refused.exception, MigrationError)
    assert "affect warehouse migrate" in str(refused.exception)


def test_the_url_is_one_that_psql_reads(affect: Affect, warehouse_settings: Settings) -> None:
    printed = affect("url").output.strip()
    assert printed.startswith("postgresql://")
    assert "+" not in printed
