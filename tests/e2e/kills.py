"""Running a stage in a child process that can be killed at any moment.

Children are forked from a server process that has imported everything heavy, so that a kill hits
the work of a stage, not its imports.
"""

from __future__ import annotations

import multiprocessing
import time
from multiprocessing.context import ForkServerContext

from affect_pipeline.nights import Nights
from affect_pipeline.settings import Settings

PRELOADED = (
    "great_expectations",
    "mlflow",
    "affect_pipeline.model.scorer",
    "affect_pipeline.stages.collect",
    "affect_pipeline.stages.measure",
    "affect_pipeline.stages.validate",
    "affect_pipeline.stages.score",
    "affect_pipeline.stages.monitor",
    "affect_pipeline.stages.publish",
    "affect_pipeline.acoustics.measure",
    "librosa",
)


def context() -> ForkServerContext:
    """Return a context whose children start with everything imported."""
    forking = multiprocessing.get_context("forkserver")
    forking.set_forkserver_preload(list(PRELOADED))
    return forking


def run_stage(settings: Settings, nights: Nights, stage: str) -> None:
    """Run one stage over all of its shards; the shards are those that the files of the run name."""
    from affect_pipeline.stages.collect import collect
    from affect_pipeline.stages.measure import measure
    from affect_pipeline.stages.monitor import monitor
    from affect_pipeline.stages.publish import publish
    from affect_pipeline.stages.score import score
    from affect_pipeline.stages.validate import validate

    whole = {"collect": collect, "validate": validate, "monitor": monitor, "publish": publish}
    if stage in whole:
        whole[stage](settings, nights)
        return
    sharded = {"measure": measure, "score": score}
    for shard in range(N_SHARDS):
        sharded[stage](settings, nights, shard)


N_SHARDS = 1
"""The small cohort fits into one shard."""


def run_in_child(settings: Settings, nights: Nights, stage: str, kill_after_s: float | None = None) -> float | None:
    """Run a stage in a child, and kill it outright after a while.

    Returns
    -------
    float or None
        How long it took if it got to its end, None if it was killed before.
    """
    child = context().Process(target=run_stage, args=(settings, nights, stage))
    started = time.monotonic()
    child.start()
    child.join(kill_after_s)
    if child.exitcode is None:
        child.kill()
        child.join()
        return None
    assert child.exitcode == 0, f"{stage} ended with {child.exitcode}"
    return time.monotonic() - started
