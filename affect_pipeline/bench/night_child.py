"""The process in which `night` runs a night: prints the time of each stage as JSON."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

from affect_pipeline.acoustics.measure import measure_audio
from affect_pipeline.bench.night import NIGHT, night_settings
from affect_pipeline.bench.recordings import RATE_HZ, Recorder
from affect_pipeline.journals.decode import DecodedAudio
from affect_pipeline.nights import Nights
from affect_pipeline.stages.in_process import STAGES, run_nights
from affect_pipeline.warm import import_stages


def main(home: str, model: str) -> None:
    """Run the night that was delivered into a home."""
    from affect_pipeline.model.registry import register
    from affect_pipeline.warehouse.embedded import stop
    from affect_pipeline.warehouse.engine import connect
    from affect_pipeline.warehouse.migrate import migrate

    settings = night_settings(Path(home))
    warm_up()
    marks: dict[str, tuple[float, float]] = {}
    shards = {"measure": 0}

    def progress(stage: str, done: int, total: int) -> None:
        now = time.perf_counter()
        marks[stage] = (marks.get(stage, (now, now))[0], now)
        shards[stage] = total

    try:
        migrate(connect(settings))
        register(settings, Path(model) if model else None, alias="champion")
        begun = time.perf_counter()
        results = run_nights(settings, Nights.one(NIGHT), progress=progress)
    finally:
        stop(settings)
    stages, last = {}, begun
    for stage in STAGES:  # from the end of one stage to the end of the next: nothing falls between them
        stages[stage] = marks[stage][1] - last
        last = marks[stage][1]
    n_scored = sum(int(one["n_scored"]) for one in results.score)
    print(json.dumps({"stages": stages, "n_shards": shards["measure"], "n_scored": n_scored}))  # noqa: T201


def warm_up() -> None:
    """Do what the first recording would have to wait for, so that imports are no part of a stage's time."""
    import_stages()
    measure_audio(DecodedAudio(Recorder(0).journal(0, 2.0), RATE_HZ, 1, "wav"))


if __name__ == "__main__":
    main(*sys.argv[1:])
