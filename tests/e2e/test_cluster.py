"""Nights on two Celery workers, one of which is killed outright in the middle."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
import yaml
from rich.console import Console

from affect_pipeline.bench.cluster import services_of, stage_of
from affect_pipeline.bench.processor import MACHINE, Processor
from affect_pipeline.nights import Nights
from affect_pipeline.stack.cluster import CPU_WORKER, native_cluster
from affect_pipeline.stack.demo import BACKFILL
from affect_pipeline.stack.follow import follow
from affect_pipeline.stack.local import LocalStack
from affect_pipeline.stack.ports import Ports
from affect_pipeline.stages.in_process import run_nights
from tests.e2e.conftest import Installation, SmallCohort, content

pytestmark = [
    pytest.mark.slow,
    pytest.mark.stack,
    pytest.mark.skipif(shutil.which("redis-server") is None, reason="redis-server is not installed"),
]

COMPOSE = Path(__file__).parents[2] / "docker" / "compose.yaml"

QUICK_RECOVERY = {
    "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "10",
    "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT_DETECTION_INTERVAL": "2",
    "AIRFLOW__SCHEDULER__TASK_QUEUED_TIMEOUT": "20",
    "AIRFLOW__SCHEDULER__TASK_QUEUED_TIMEOUT_CHECK_INTERVAL": "3",
    "AIRFLOW__WORKERS__MIN_HEARTBEAT_INTERVAL": "1",
}
"""A dead worker is noticed within seconds, not the minutes that suit a busy installation."""

PACE = ("SLEEP_TIME", "_INTERVAL", "_TIMEOUT")
"""How the names of settings end that say how often, and for how long, something is looked at."""


@pytest.fixture(scope="module")
def cluster(installation: Installation) -> Iterator[LocalStack]:
    settings = installation("cluster").model_copy(update={"journals_per_shard": 12, "max_shards": 2})
    anywhere = Ports(0, 0, 0, 0)  # starting takes long enough for another stack to take the usual ones
    with native_cluster(settings, COMPOSE, ports=anywhere, options=QUICK_RECOVERY, with_mlflow=False) as running:
        running.api.set_paused(BACKFILL, paused=False)
        yield running


def await_a_measuring_worker(stack: LocalStack, run_id: str) -> str:
    """Return the name of a worker that is measuring a shard just now."""
    names = [name for name in stack.processes.running() if name.startswith(CPU_WORKER)]
    leaders = {stack.processes.running()[name]: name for name in names}
    deadline = time.monotonic() + 300
    while time.monotonic() < deadline:
        for instance in stack.api.task_instances(BACKFILL, run_id):
            if instance["task_id"] == "measure" and instance["state"] == "running" and instance["pid"]:
                with suppress(ProcessLookupError):
                    return leaders[os.getsid(instance["pid"])]
        stack.processes.check()
        time.sleep(0.1)
    raise AssertionError("nothing was measured")


def test_the_pace_is_that_of_the_compose_file_and_not_of_the_local_stack(cluster: LocalStack) -> None:
    pace = [name for name in cluster.environment if name.startswith("AIRFLOW__") and name.endswith(PACE)]
    said = yaml.safe_load(COMPOSE.read_text())["services"]["scheduler"]["environment"] | QUICK_RECOVERY

    assert {name: cluster.environment[name] for name in pace} == {name: said[name] for name in pace}


def test_nights_that_lose_a_worker_leave_the_rows_of_nights_that_were_left_alone(
    cluster: LocalStack, installation: Installation, cohort: SmallCohort
) -> None:
    nights = Nights(list(cohort.nights)[-6], cohort.nights.last)
    with Processor(lambda: services_of(cluster)) as processor:
        run_id = cluster.api.trigger(BACKFILL, {"first_night": f"{nights.first}", "last_night": f"{nights.last}"})

        cluster.processes.kill(await_a_measuring_worker(cluster, run_id))

        silent, check = Console(quiet=True), cluster.processes.check
        assert follow(cluster.api, BACKFILL, run_id, console=silent, check=check, timeout_s=400)
    stage = stage_of(cluster.api.task_instances(BACKFILL, run_id), processor)
    (survivor,) = (name for name in cluster.processes.running() if name.startswith(CPU_WORKER))
    assert 0 < stage.processor_s[survivor] < stage.processor_s[MACHINE]
    tried_again = {one["task_id"] for one in cluster.api.task_instances(BACKFILL, run_id) if one["try_number"] > 1}
    assert tried_again == {"measure"}
    left_alone = installation("not-clustered")
    run_nights(left_alone, nights)
    assert content(cluster.settings) == content(left_alone)
