"""The made-up warehouse of load tests."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from sqlalchemy import text

from affect_pipeline.bench.warehouse_rows import MadeUp, fill
from affect_pipeline.settings import Settings
from affect_pipeline.warehouse.engine import connect
from affect_pipeline.warehouse.hash import content_hash


def test_a_warehouse_that_is_thrown_away_holds_the_same_rows_and_keys(
    new_warehouse: Callable[[Path], Settings], tmp_path: Path
) -> None:
    found = []
    for throw_away in (False, True):
        engine = connect(new_warehouse(tmp_path / str(throw_away)))
        fill(engine, MadeUp(n_patients=30, n_days=70), throw_away=throw_away)
        with engine.connect() as connection:
            keys = connection.execute(
                text("SELECT tablename, indexname, indexdef FROM pg_indexes WHERE schemaname = 'affect' ORDER BY 1, 2")
            )
            found.append((content_hash(engine), keys.all()))

    slow, quick = found
    assert slow[0] == quick[0]
    assert slow[1] == quick[1]
    assert len(slow[1]) > 30
