"""What a second Celery worker is worth: the measure stage of two nights of one size, with one worker and with two.

The services are those of ``docker/compose.yaml``, started natively, with its settings. Each worker runs one task at a
time on one thread. The nights are whole ones, cut into shards as the settings say; only the model is a tiny one, since
nothing but the measure stage is timed. A short night before each of them wakes up whatever is done only once.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from affect_pipeline.bench.night import NIGHT, deliver, night_settings
from affect_pipeline.bench.processor import MACHINE, Processor

if TYPE_CHECKING:
    from affect_pipeline.settings import Settings
    from affect_pipeline.stack.local import LocalStack

N_WAKING = 8
"""Journals of the short nights."""

LOOKED_EVERY_S = 2.0
LONGEST_NIGHT_S = 3600.0


@dataclass(frozen=True)
class Stage:
    """The measure stage of one night.

    Parameters
    ----------
    n_shards : int
        Shards, one task each.
    seconds : float
        From the start of the first task to the end of the last.
    tasks_s : float
        Sum over tasks from start to end.
    processor_s : Mapping[str, float]
        Core-seconds of each service meanwhile, and of the machine.
    """

    n_shards: int
    seconds: float
    tasks_s: float
    processor_s: Mapping[str, float]


@dataclass(frozen=True)
class Row:
    """The measure stage of one night, as it is shown.

    Parameters
    ----------
    n_workers, n_shards, n_journals : int
        Workers of one core each, shards, and journals of 20 s.
    measure_s : float
        From the start of the first shard to the end of the last.
    times_one_worker : float
        How much faster than with one worker.
    workers_busy : float
        Share of that time in which a worker had a task.
    workers_core_s, services_core_s, machine_core_s : float
        Core-seconds of the workers of queue ``cpu``, of all other services, and of the whole machine.
    """

    n_workers: int
    n_shards: int
    n_journals: int
    measure_s: float
    times_one_worker: float
    workers_busy: float
    workers_core_s: float
    services_core_s: float
    machine_core_s: float


def compare(
    home: Path, compose: Path, n: int, seed: int, say: Callable[[str], None] = lambda _: None
) -> dict[str, list[dict[str, Any]]]:
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

    Returns
    -------
    dict of str to list of dict
        ``rows``, a `Row` a night, and ``services``, the core-seconds of each service in either night.
    """
    from affect_pipeline.stack.cluster import native_cluster
    from affect_pipeline.stack.demo import NIGHTLY
    from affect_pipeline.stack.ports import Ports

    settings = night_settings(home).model_copy(update={"threads": 1})
    nights = [NIGHT + timedelta(days=day) for day in range(4)]
    say(f"recording two nights of {n:,} journals")
    for number, night in enumerate(nights):  # the same recordings again would be duplicates
        deliver(settings, n if number % 2 else N_WAKING, seed * len(nights) + number, night=night)
    _register_tiny_model(settings)
    with native_cluster(settings, compose, say, ports=Ports(0, 0, 0, 0), n_cpu_workers=1, with_mlflow=False) as stack:
        stack.api.set_paused(NIGHTLY, paused=False)
        say("a night on one worker")
        one = _last_of(stack, nights[:2])
        _start_second_worker(stack, compose)
        say("a night on two workers")
        two = _last_of(stack, nights[2:])
    rows = [asdict(_row(stage, number, n, one)) for number, stage in enumerate([one, two], start=1)]
    return {"rows": rows, "services": _services(one, two)}


def stage_of(instances: Iterable[Mapping[str, Any]], processor: Processor) -> Stage:
    """Return the measure stage of a run from its task instances, as Airflow describes them."""
    times = [
        (datetime.fromisoformat(one["start_date"]).timestamp(), datetime.fromisoformat(one["end_date"]).timestamp())
        for one in instances
        if one["task_id"] == "measure"
    ]
    begun, ended = min(start for start, _ in times), max(end for _, end in times)
    in_tasks = sum(end - start for start, end in times)
    return Stage(len(times), ended - begun, in_tasks, processor.seconds(begun, ended))


def services_of(stack: LocalStack) -> dict[str, int]:
    """Return the process that each service of a stack began with, PostgreSQL among them."""
    server = int((stack.settings.postgres_dir / "postmaster.pid").read_text().split()[0])
    return stack.processes.running() | {"postgres": server}


def _last_of(stack: LocalStack, nights: Iterable[date]) -> Stage:
    """Run nights one after another; return the measure stage of the last."""
    from affect_pipeline.errors import StackError
    from affect_pipeline.stack.airflow_api import FINISHED
    from affect_pipeline.stack.demo import NIGHTLY

    for night in nights:
        with Processor(lambda: services_of(stack)) as processor:
            run_id = stack.api.trigger_night(NIGHTLY, night)
            deadline = time.monotonic() + LONGEST_NIGHT_S
            while (state := stack.api.run_state(NIGHTLY, run_id)) not in FINISHED:
                stack.processes.check()
                if time.monotonic() > deadline:
                    break
                time.sleep(LOOKED_EVERY_S)  # each look costs the API server some work
        if state != "success":
            raise StackError(f"the night is {state}: {stack.api.failed_tasks(NIGHTLY, run_id)}")
    return stage_of(stack.api.task_instances(NIGHTLY, run_id), processor)


def _register_tiny_model(settings: Settings) -> None:
    from affect_pipeline.model.encoder import tiny_encoder
    from affect_pipeline.model.registry import register
    from affect_pipeline.warehouse.engine import connect
    from affect_pipeline.warehouse.migrate import migrate

    folder = settings.home / "tiny-model"
    tiny_encoder().save(folder)
    migrate(connect(settings))
    register(settings, folder, alias="champion")


def _start_second_worker(stack: LocalStack, compose: Path) -> None:
    from affect_pipeline.stack.cluster import CPU_WORKER, await_health, health_environment, worker_command
    from affect_pipeline.stack.compose import read_services

    service = read_services(compose, dict(stack.environment) | _NEEDED)[CPU_WORKER]
    second = f"{CPU_WORKER}-2"
    stack.processes.start(second, worker_command(service, second))
    await_health(service, health_environment(stack, second), timeout_s=120.0)


_NEEDED = {
    f"AFFECT_{name}": "of-the-local-stack"
    for name in ("DB_PASSWORD", "API_SECRET", "JWT_SECRET", "FERNET_KEY", "PSEUDONYM_SECRET", "REDIS_PASSWORD")
} | {"AFFECT_CPU_TASKS": "1"}


def _row(stage: Stage, n_workers: int, n_journals: int, one: Stage) -> Row:
    workers = sum(seconds for name, seconds in stage.processor_s.items() if _is_worker(name))
    services = sum(stage.processor_s.values()) - workers - stage.processor_s[MACHINE]
    return Row(
        n_workers=n_workers,
        n_shards=stage.n_shards,
        n_journals=n_journals,
        measure_s=stage.seconds,
        times_one_worker=one.seconds / stage.seconds,
        workers_busy=stage.tasks_s / stage.seconds / n_workers,
        workers_core_s=workers,
        services_core_s=services,
        machine_core_s=stage.processor_s[MACHINE],
    )


def _services(one: Stage, two: Stage) -> list[dict[str, Any]]:
    """Return the core-seconds of each service in either night, what took most first."""
    names = sorted(set(one.processor_s) | set(two.processor_s), key=lambda name: -two.processor_s.get(name, 0.0))
    return [
        {"service": name, "one_worker_s": one.processor_s.get(name), "two_workers_s": two.processor_s.get(name)}
        for name in names
    ]


def _is_worker(name: str) -> bool:
    from affect_pipeline.stack.cluster import CPU_WORKER

    return name.startswith(CPU_WORKER)
