"""Stages and PostgreSQL killed outright at random points: a plain run afterwards leaves the rows of one left alone.

`scripts/crash_test` is the long run: `KILLS` in the environment says how many, 25 a round, each round from the start.
"""

from __future__ import annotations

import math
import os
import random
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pytest

from affect_pipeline.files import read_json, read_parquet
from affect_pipeline.nights import Nights
from affect_pipeline.settings import Settings
from affect_pipeline.stages.in_process import STAGES
from affect_pipeline.warehouse.embedded import stop
from affect_pipeline.warehouse.engine import connect, disconnect
from affect_pipeline.warehouse.hash import content_hash, total_hash
from affect_pipeline.warehouse.migrate import migrate
from tests.e2e.conftest import Installation, SmallCohort
from tests.e2e.kills import POSTGRES, kill_in_child, run_in_child, warm_up
from tests.model.registries import copy_registry

pytestmark = pytest.mark.slow

KILLS_A_ROUND = 25
N_ROUNDS = math.ceil(int(os.environ.get("KILLS", "25")) / KILLS_A_ROUND)
TO_POSTGRES = (1, 3)
"""Of every five kills, these hit PostgreSQL while a stage works; the others hit the stage."""

N_NIGHTS = 18
"""Long enough for baselines of 14 day values."""


@pytest.fixture(scope="module")
def nights(cohort: SmallCohort) -> Nights:
    every = list(cohort.nights)
    return Nights(every[0], every[N_NIGHTS - 1])


@pytest.fixture(scope="module")
def left_alone(installation: Installation, nights: Nights) -> tuple[str, dict[str, float]]:
    """The hash of an installation that nothing happened to, and how long each of its stages took."""
    settings = installation("left-alone")
    warm_up()  # the first child waits for all that is imported
    took = {stage: run_in_child(settings, nights, stage) for stage in STAGES}
    return total_hash(content_hash(connect(settings))), took


@pytest.fixture
def durable(
    cohort: SmallCohort, installation: Installation, registry_template: Path, tmp_path: Path
) -> Iterator[Settings]:
    """An installation with a server of its own, as durable as a real one; that of all tests may lose its data."""
    alike = installation("alike")
    own = copy_registry(registry_template, Settings(home=tmp_path / "home"))
    settings = own.model_copy(update={"landing_url": alike.landing_url, "pseudonym_secret": alike.pseudonym_secret})
    migrate(connect(settings))
    yield settings
    disconnect(settings)
    stop(settings)


@pytest.mark.parametrize("number", range(1, N_ROUNDS + 1))
def test_stages_and_postgresql_killed_at_random_points_and_run_again_leave_the_same_rows(
    durable: Settings, nights: Nights, left_alone: tuple[str, dict[str, float]], number: int
) -> None:
    expected, took = left_alone
    chance = random.Random(number)
    killed: Counter[str] = Counter()
    for kill in range(KILLS_A_ROUND):
        stage = STAGES[kill * len(STAGES) // KILLS_A_ROUND]
        victim = POSTGRES if kill % 5 in TO_POSTGRES else stage
        moment = took[stage] * chance.random()
        while not kill_in_child(durable, nights, stage, victim, after_s=moment):
            moment *= 0.5  # it got to its end before: much is done already
        killed[victim] += 1
        assert_files_are_whole(durable)
        is_last = kill + 1 == KILLS_A_ROUND or STAGES[(kill + 1) * len(STAGES) // KILLS_A_ROUND] != stage
        if is_last:
            run_in_child(durable, nights, stage)
    digest = total_hash(content_hash(connect(durable)))
    print(f"round {number}: killed {', '.join(f'{name} {n}' for name, n in killed.items())}; hash {digest[:12]}")
    assert killed.total() == KILLS_A_ROUND
    assert set(killed) == {POSTGRES, *STAGES}
    assert digest == expected


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
