"""What a second Celery worker is worth: the measure stage of two nights of one size, with one worker and with two.

The services are those of ``docker/compose.yaml``, started natively. Each worker runs one task at a time on one thread.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

from affect_pipeline.bench.night import NIGHT, deliver, night_settings

N_SHARDS = 8


@dataclass(frozen=True)
class Row:
    """The measure stage of one night.

    Parameters
    ----------
    n_workers, n_shards, n_journals : int
        Workers of one core each, shards, and journals of 20 s.
    measure_s : float
        From the start of the first shard to the end of the last.
    times_one_worker : float
        How much faster than with one worker.
    """

    n_workers: int
    n_shards: int
    n_journals: int
    measure_s: float
    times_one_worker: float


def compare(home: Path, compose: Path, n: int, seed: int, say: Callable[[str], None] = lambda _: None) -> list[Row]:
    """Run two nights of `n` journals on one worker and on two.

    Parameters
    ----------
    home : Path
        An empty folder.
    compose : Path
        The compose file.
    n : int
        Journals of a night.
    seed : int
        Draws them.
    say : callable
        Told what is being done.
    """
    from affect_pipeline.stack.cluster import (
        CPU_WORKER,
        await_health,
        health_environment,
        native_cluster,
        worker_command,
    )
    from affect_pipeline.stack.compose import read_services
    from affect_pipeline.stack.demo import NIGHTLY
    from affect_pipeline.stack.ports import Ports

    cut = {"journals_per_shard": max(n // N_SHARDS, 1), "max_shards": N_SHARDS, "threads": 1}
    settings = night_settings(home).model_copy(update=cut)
    nights = [NIGHT, NIGHT + timedelta(days=1)]
    for later, night in enumerate(nights):
        say(f"recording {n:,} journals")
        deliver(settings, n, seed + later, night=night)  # the same recordings again would be duplicates
    with native_cluster(settings, compose, say, ports=Ports(0, 0, 0, 0), n_cpu_workers=1, with_mlflow=False) as stack:
        stack.api.set_paused(NIGHTLY, paused=False)
        say("a night on one worker")
        one_s, n_shards = _measure_s(stack, nights[0])
        service = read_services(compose, dict(stack.environment) | _NEEDED)[CPU_WORKER]
        second = f"{CPU_WORKER}-2"
        stack.processes.start(second, worker_command(service, second))
        await_health(service, health_environment(stack, second), timeout_s=120.0)
        say("a night on two workers")
        two_s, _ = _measure_s(stack, nights[1])
    return [Row(1, n_shards, n, one_s, 1.0), Row(2, n_shards, n, two_s, one_s / two_s)]


_NEEDED = {
    f"AFFECT_{name}": "of-the-local-stack"
    for name in ("DB_PASSWORD", "API_SECRET", "JWT_SECRET", "FERNET_KEY", "PSEUDONYM_SECRET", "REDIS_PASSWORD")
} | {"AFFECT_CPU_TASKS": "1"}


def _measure_s(stack: Any, night: date) -> tuple[float, int]:
    """Run a night; return the time of its measure stage and the number of its shards."""
    from rich.console import Console

    from affect_pipeline.errors import StackError
    from affect_pipeline.stack.demo import NIGHTLY
    from affect_pipeline.stack.follow import follow

    run_id = stack.api.trigger_night(NIGHTLY, night)
    if not follow(stack.api, NIGHTLY, run_id, console=Console(quiet=True), check=stack.processes.check):
        raise StackError(f"the night failed: {stack.api.failed_tasks(NIGHTLY, run_id)}")
    shards = [one for one in stack.api.task_instances(NIGHTLY, run_id) if one["task_id"] == "measure"]
    begun = min(datetime.fromisoformat(one["start_date"]) for one in shards)
    ended = max(datetime.fromisoformat(one["end_date"]) for one in shards)
    return (ended - begun).total_seconds(), len(shards)
