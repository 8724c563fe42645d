"""The process in which `night` runs a night: prints the time of each stage as JSON."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from affect_pipeline.acoustics.measure import measure_audio
from affect_pipeline.bench.night import NIGHT, night_settings
from affect_pipeline.bench.recordings import RATE_HZ, Recorder
from affect_pipeline.journals.decode import DecodedAudio
from affect_pipeline.nights import Nights
from affect_pipeline.settings import Settings
from affect_pipeline.stages.in_process import STAGES, run_nights
from affect_pipeline.warehouse.engine import connect
from affect_pipeline.warehouse.queries import sql
from affect_pipeline.warm import import_stages


def main(home: str, model: str) -> None:
    """Run the night that was delivered into a home, and print what it took."""
    warm_up()
    print(json.dumps(run_night(Path(home), Path(model) if model else None)))  # noqa: T201


def run_night(home: Path, model: Path | None) -> dict[str, Any]:
    """Run the night that was delivered into a home; return the time of each stage, and counts."""
    from affect_pipeline.model.registry import register
    from affect_pipeline.warehouse.embedded import stop
    from affect_pipeline.warehouse.migrate import migrate

    settings = night_settings(home)
    marks: dict[str, tuple[float, float]] = {}
    shards = {"measure": 0}

    def progress(stage: str, done: int, total: int) -> None:
        now = time.perf_counter()
        marks[stage] = (marks.get(stage, (now, now))[0], now)
        shards[stage] = total

    try:
        migrate(connect(settings))
        register(settings, model, alias="champion")
        size_before = _warehouse_bytes(settings)
        begun = time.perf_counter()
        results = run_nights(settings, Nights.one(NIGHT), progress=progress)
        grown_by = _warehouse_bytes(settings) - size_before
    finally:
        stop(settings)
    stages, last = {}, begun
    for stage in STAGES:  # from the end of one stage to the end of the next: nothing falls between them
        stages[stage] = marks[stage][1] - last
        last = marks[stage][1]
    n_scored = sum(int(one["n_scored"]) for one in results.score)
    return {"stages": stages, "n_shards": shards["measure"], "n_scored": n_scored, "warehouse_bytes": grown_by}


def _warehouse_bytes(settings: Settings) -> int:
    with connect(settings).connect() as connection:
        return int(connection.execute(sa.text(sql("bench/get_database_size"))).scalar_one())


def warm_up() -> None:
    """Do what the first recording would have to wait for, so that imports are no part of a stage's time."""
    import_stages()
    measure_audio(DecodedAudio(Recorder(0).journal(0, 2.0), RATE_HZ, 1, "wav"))


if __name__ == "__main__":
    main(*sys.argv[1:])
