"""A backup holds everything, is readable for its owner only, and is restored whole or not at all."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from affect_pipeline.settings import Settings
from affect_pipeline.warehouse.access import as_person
from affect_pipeline.warehouse.backup import BackupError, backup, client, restore
from affect_pipeline.warehouse.engine import connect
from affect_pipeline.warehouse.hash import content_hash
from affect_pipeline.warehouse.load import upsert
from affect_pipeline.warehouse.migrate import migrate
from tests.warehouse.cohort import load_cohort
from tests.warehouse.rows import frame, journal, key


def test_a_restored_warehouse_is_the_same(
    warehouse_settings: Settings, new_warehouse: Callable[[Path], Settings], tmp_path: Path
) -> None:
    engine = connect(warehouse_settings)
    load_cohort(engine)
    with engine.begin() as connection:
        connection.exec_driver_sql(
            "INSERT INTO affect.people (login, display_name, role, clinics) "
            "VALUES ('ann', 'Ann', 'counselor', '{north}')"
        )
    file = tmp_path / "warehouse.dump"
    assert backup(warehouse_settings, file) == file.stat().st_size
    assert file.stat().st_mode & 0o077 == 0

    other = new_warehouse(tmp_path / "other")
    restore(other, file)
    assert content_hash(connect(other)) == content_hash(engine)
    assert migrate(connect(other)) == []
    with as_person(connect(other), "ann") as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM affect.patients").scalar_one() == 3


def test_a_warehouse_that_holds_data_is_not_overwritten_by_accident(
    warehouse_settings: Settings, tmp_path: Path
) -> None:
    engine = connect(warehouse_settings)
    file = tmp_path / "empty.dump"
    backup(warehouse_settings, file)
    with engine.begin() as connection:
        upsert(connection, "journals", frame(journal()))
    before = content_hash(engine)
    with pytest.raises(BackupError, match="--replace"):
        restore(warehouse_settings, file)
    assert content_hash(engine) == before
    restore(warehouse_settings, file, replace=True)
    assert content_hash(engine) != before


def test_a_damaged_backup_changes_nothing(warehouse_settings: Settings, tmp_path: Path) -> None:
    engine = connect(warehouse_settings)
    with engine.begin() as connection:
        upsert(connection, "journals", frame(journal(patient_key=key("kept"))))
    file = tmp_path / "warehouse.dump"
    backup(warehouse_settings, file)
    before = content_hash(engine)
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
    with pytest.raises(BackupError, match="pg_restore failed"):
        restore(warehouse_settings, file, replace=True)
    assert content_hash(engine) == before


def test_a_backup_that_cannot_be_written_leaves_nothing(warehouse_settings: Settings, tmp_path: Path) -> None:
    connect(warehouse_settings)
    with pytest.raises(FileNotFoundError):
        backup(warehouse_settings, tmp_path / "no such folder" / "warehouse.dump")
    broken = warehouse_settings.model_copy(update={"warehouse_url": warehouse_settings.warehouse_url + "_gone"})
    with pytest.raises(Exception, match="AFFECT_WAREHOUSE_URL"):
        backup(broken, tmp_path / "warehouse.dump")
    assert list(tmp_path.glob("*warehouse.dump*")) == []


def test_the_password_is_kept_out_of_the_process_list(tmp_path: Path) -> None:
    there = Settings(home=tmp_path, warehouse_url="postgresql://ann:hush%20hush@db.example/affect?sslmode=require")
    started = client(there, "pg_dump")
    assert started.command[1:] == ["--dbname", "postgresql://ann@db.example/affect?sslmode=require"]
    assert started.environment["PGPASSWORD"] == "hush hush"
