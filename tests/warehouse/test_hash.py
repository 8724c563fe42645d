"""The content hash tells what is different and nothing else."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import sqlalchemy as sa

from affect_pipeline.settings import Settings
from affect_pipeline.warehouse.engine import connect
from affect_pipeline.warehouse.hash import content_hash, table_hashes, total_hash
from affect_pipeline.warehouse.load import upsert
from tests.warehouse.rows import digest, frame, score


def load(engine: sa.Engine, *rows: dict[str, object]) -> dict[str, str]:
    with engine.begin() as connection:
        for row in rows:
            upsert(connection, "scores", frame(row))
    return content_hash(engine)


def test_the_order_of_writing_does_not_matter(
    warehouse: sa.Engine, new_warehouse: Callable[[Path], Settings], tmp_path: Path
) -> None:
    other = connect(new_warehouse(tmp_path / "other"))
    rows = [score(str(number), local_day=dt.date(2026, 1 + number % 3, 1)) for number in range(9)]
    assert load(warehouse, *rows) == load(other, *rows[::-1], rows[3])
    assert [row.n_rows for row in table_hashes(warehouse) if row.table == "scores"] == [9]


def test_the_last_bit_of_a_float_matters(warehouse: sa.Engine) -> None:
    first = load(warehouse, score(valence=0.1))
    second = load(warehouse, score(valence=float(np.nextafter(0.1, 1.0))))
    assert first["scores"] != second["scores"]
    assert total_hash(first) != total_hash(second)
    assert {name for name in first if first[name] != second[name]} == {"scores"}


def test_null_is_not_zero(warehouse: sa.Engine) -> None:
    assert load(warehouse, score(valence=0.0))["scores"] != load(warehouse, score(valence=math.nan))["scores"]


def test_what_only_says_when_is_left_out(warehouse: sa.Engine) -> None:
    version = {
        "model_digest": digest("m"), "name": "affect", "registry_version": 1, "description": "", "metrics": {"a": 1},
        "registered_at": dt.datetime(2026, 1, 1, tzinfo=dt.UTC),
    }  # fmt: skip
    hashes = []
    for day in (1, 2):
        with warehouse.begin() as connection:
            row = version | {"registered_at": dt.datetime(2026, 1, day, tzinfo=dt.UTC)}
            upsert(connection, "model_versions", frame(row))
        hashes.append(content_hash(warehouse))
    assert hashes[0] == hashes[1]
    assert hashes[0].keys().isdisjoint({"runs", "alert_actions", "people", "schema_migrations"})


def test_settings_of_the_session_do_not_matter(warehouse: sa.Engine) -> None:
    expected = load(warehouse, score(valence=1 / 3))
    with warehouse.connect() as connection:
        for setting in ("timezone = 'Asia/Tokyo'", "datestyle = 'German'", "extra_float_digits = -10"):
            connection.exec_driver_sql(f"SET {setting}")
        rows = connection.exec_driver_sql("SELECT table_name, digest FROM affect.content_hash()").all()
        connection.rollback()
    assert {row.table_name: row.digest for row in rows} == expected
