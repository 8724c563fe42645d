"""Running a stage in a child process that can be killed at any moment.

Children are forked from a server process that has imported everything heavy, so that a kill hits
the work of a stage, not its imports.
"""

from __future__ import annotations

import multiprocessing
import signal
import sys
import time
from contextlib import suppress
from multiprocessing.context import ForkServerContext

import psutil

from affect_pipeline.nights import Nights
from affect_pipeline.settings import Settings
from affect_pipeline.warehouse.engine import connect, disconnect

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


def run_stage_or_end(settings: Settings, nights: Nights, stage: str) -> None:
    """Run one stage; an error ends this process without a word."""
    try:
        run_stage(settings, nights, stage)
    except Exception:
        sys.exit(1)


N_SHARDS = 1
"""The small cohort fits into one shard."""


POSTGRES = "PostgreSQL"
PATIENCE_S = 1200.0
"""A stage finds out at its next statement: on a busy machine, measuring may come first."""


def warm_up() -> None:
    """Start the server that children are forked from."""
    child = context().Process(target=int)
    child.start()
    child.join()


def run_in_child(settings: Settings, nights: Nights, stage: str) -> float:
    """Run a stage in a child to its end; return how long it took, in seconds."""
    child = context().Process(target=run_stage, args=(settings, nights, stage))
    started = time.monotonic()
    child.start()
    child.join()
    assert child.exitcode == 0, f"{stage} ended with {child.exitcode}"
    return time.monotonic() - started


def kill_in_child(settings: Settings, nights: Nights, stage: str, victim: str, after_s: float) -> bool:
    """Run a stage in a child, and kill it, or the server it works with, outright after a while.

    Returns
    -------
    bool
        Whether it was still at work; nothing is killed if it was not.
    """
    target = run_stage_or_end if victim == POSTGRES else run_stage
    child = context().Process(target=target, args=(settings, nights, stage))
    child.start()
    child.join(after_s)
    if child.exitcode is not None:
        assert child.exitcode == 0, f"{stage} ended with {child.exitcode}"
        return False
    if victim != POSTGRES:
        child.kill()
        child.join()
        return True
    kill_postgres(settings)
    child.join(PATIENCE_S)
    assert child.exitcode is not None, "a stage that lost its warehouse ends"
    disconnect(settings)
    connect(settings)  # starts the server, which recovers, and keeps it between stages
    return True


def kill_postgres(settings: Settings) -> None:
    """Kill the server and all of its processes outright."""
    pid = int((settings.postgres_dir / "postmaster.pid").read_text().split()[0])
    server = psutil.Process(pid)
    family = [server, *server.children(recursive=True)]
    for process in family:
        with suppress(psutil.NoSuchProcess):
            process.send_signal(signal.SIGKILL)
    psutil.wait_procs(family, timeout=10)
