"""A stage killed outright at any point, and run again, leaves the rows of one that was left alone."""

from __future__ import annotations

import os
import random

import pyarrow as pa
import pytest

from affect_pipeline.files import read_json, read_parquet
from affect_pipeline.nights import Nights
from affect_pipeline.settings import Settings
from affect_pipeline.stages.in_process import STAGES
from tests.e2e.conftest import Installation, SmallCohort, content
from tests.e2e.kills import run_in_child

pytestmark = pytest.mark.slow

N_KILLS = max(3, -(-int(os.environ.get("KILLS", "0")) // len(STAGES)))
"""Kills of each stage, spread at random over the time it takes; `KILLS=200` in the environment makes more."""


@pytest.fixture(scope="module")
def nights(cohort: SmallCohort) -> Nights:
    return cohort.nights


@pytest.fixture(scope="module")
def left_alone(installation: Installation, nights: Nights) -> tuple[Settings, dict[str, float]]:
    """An installation whose stages were never killed, and how long each of them took."""
    settings = installation("left-alone")
    took = {stage: run_in_child(settings, nights, stage) for stage in STAGES}
    return settings, {stage: duration for stage, duration in took.items() if duration is not None}


def test_every_stage_killed_at_random_points_and_run_again_leaves_the_same_rows(
    installation: Installation, nights: Nights, left_alone: tuple[Settings, dict[str, float]]
) -> None:
    undisturbed, took = left_alone
    killed = installation("killed")
    chance = random.Random(11)
    n_killed = 0
    for stage in STAGES:
        for kill in range(N_KILLS):
            moment = took[stage] * (kill + chance.random()) / N_KILLS
            n_killed += run_in_child(killed, nights, stage, kill_after_s=moment) is None
            assert_files_are_whole(killed)
        run_in_child(killed, nights, stage)

    assert n_killed >= len(STAGES)
    assert content(killed) == content(undisturbed)


def assert_files_are_whole(settings: Settings) -> None:
    """Every file that has its final name can be read to its end."""
    for path in settings.work_dir.rglob("*.*"):
        if path.name.startswith(".") or not path.is_file():
            continue
        if path.suffix == ".parquet":
            read_parquet(path)
        elif path.suffix == ".arrow":
            with pa.memory_map(str(path), "rb") as source:
                pa.ipc.open_file(source).read_all()
        elif path.suffix == ".json":
            read_json(path)
