"""Processor time is charged to the service that a process came of."""

from __future__ import annotations

import subprocess
import sys
import time

import pytest

from affect_pipeline.bench.cluster import stage_of
from affect_pipeline.bench.processor import MACHINE, Processor

BUSY_S = 0.4
BURN = f"import time\nwhile time.process_time() < {2 * BUSY_S}: pass"
IN_A_CHILD = f"import subprocess, sys, time; subprocess.run([sys.executable, '-c', {BURN!r}]); time.sleep(60)"


def test_a_service_is_charged_for_its_children_too_and_one_that_sleeps_for_little() -> None:
    begun = time.time()
    busy = subprocess.Popen([sys.executable, "-c", IN_A_CHILD])
    idle = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    try:
        with Processor(lambda: {"busy": busy.pid, "idle": idle.pid}) as processor:
            deadline = time.monotonic() + 30
            while _taken(processor, begun) < BUSY_S and time.monotonic() < deadline:
                time.sleep(0.2)
        taken = processor.seconds(begun, time.time())
    finally:
        for process in (busy, idle):
            process.kill()
            process.wait()
    assert taken["busy"] >= BUSY_S
    assert taken["idle"] < BUSY_S / 2
    assert taken[MACHINE] >= taken["busy"]


def _taken(processor: Processor, begun: float) -> float:
    return processor.seconds(begun, time.time())["busy"]


def test_the_measure_stage_lasts_from_its_first_task_to_its_last() -> None:
    def instance(task_id: str, start: int, end: int) -> dict[str, str]:
        return {
            "task_id": task_id,
            "start_date": f"2026-01-05T00:00:{start:02d}Z",
            "end_date": f"2026-01-05T00:00:{end:02d}Z",
        }

    with Processor(dict) as processor:
        pass
    shards = [instance("measure", 10, 20), instance("measure", 12, 30)]
    stage = stage_of([instance("collect", 0, 9), *shards, instance("score", 31, 40)], processor)

    assert (stage.n_shards, stage.seconds, stage.tasks_s) == (2, pytest.approx(20.0), pytest.approx(28.0))
