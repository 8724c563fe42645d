"""Full and read-only disks, clocks moved back, two runs at once, a poisoned shard."""

from __future__ import annotations

import os
import resource
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import sqlalchemy as sa

from affect_pipeline.files import read_parquet
from affect_pipeline.journals.confine import keep_reading_only
from affect_pipeline.nights import Nights
from affect_pipeline.settings import Settings
from affect_pipeline.stages.collect import collect
from affect_pipeline.stages.in_process import STAGES, run_nights
from affect_pipeline.stages.measure import measure
from affect_pipeline.stages.score import score
from affect_pipeline.warehouse.engine import connect
from tests.e2e.conftest import Installation, SmallCohort, content
from tests.e2e.kills import context, run_stage

pytestmark = pytest.mark.slow

N_NIGHTS = 5


@pytest.fixture(scope="module")
def nights(cohort: SmallCohort) -> Nights:
    every = list(cohort.nights)
    return Nights(every[0], every[N_NIGHTS - 1])


@pytest.fixture(scope="module")
def left_alone(installation: Installation, nights: Nights) -> dict[str, tuple[int, str]]:
    """What an installation says that nothing happened to."""
    settings = installation("left-alone")
    run_nights(settings, nights)
    return content(settings)


def run_all(settings: Settings, nights: Nights, prepare: Callable[[], object], report: object) -> None:
    """Prepare this process, run all stages, and say how it ended."""
    try:
        prepare()
        for stage in STAGES:
            run_stage(settings, nights, stage)
    except Exception as error:
        report.put(f"{type(error).__name__}: {error}")  # type: ignore[attr-defined]
        return
    report.put("done")  # type: ignore[attr-defined]


def said_by_child(settings: Settings, nights: Nights, prepare: Callable[[], object]) -> str:
    report = context().Queue()
    child = context().Process(target=run_all, args=(settings, nights, prepare, report))
    child.start()
    said = report.get(timeout=120)
    child.join()
    return str(said)


def fill_disk() -> None:
    """No file of this process may grow past 20 kB: a write fails as on a full disk, under another number."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))


def make_read_only() -> None:
    assert keep_reading_only([Path("/")]), "this kernel has no Landlock"


@pytest.mark.parametrize(("trouble", "complaint"), [(fill_disk, "too large"), (make_read_only, "denied")])
def test_a_full_or_read_only_disk_stops_the_night_with_a_clear_error_and_a_run_afterwards_is_complete(
    installation: Installation,
    nights: Nights,
    left_alone: dict[str, tuple[int, str]],
    trouble: Callable[[], None],
    complaint: str,
) -> None:
    settings = installation(trouble.__name__)

    said = said_by_child(settings, nights, trouble)

    assert "Error" in said
    assert complaint in said
    whole = [path for path in settings.raw_dir.glob("??/*") if path.stat().st_size > 20_000]
    assert whole == [], "no recording is there in part"
    run_nights(settings, nights)
    assert content(settings) == left_alone


def test_a_clock_that_was_moved_back_changes_nothing(
    installation: Installation, nights: Nights, left_alone: dict[str, tuple[int, str]]
) -> None:
    """All that is stored was stamped by a clock that was a year ahead of today's."""
    settings = installation("clock")
    first = Nights.one(nights.first)
    run_nights(settings, first)
    ahead_s = time.time() + 365 * 86_400
    (settings.raw_dir / "incoming").mkdir(exist_ok=True)
    (settings.raw_dir / "incoming" / "half").write_bytes(b"being copied by somebody")
    for path in settings.home.rglob("*"):
        os.utime(path, (ahead_s, ahead_s))
    with connect(settings).begin() as connection:
        connection.execute(
            sa.text("UPDATE affect.runs SET started_at = now() + '1 year', finished_at = now() + '1 year'")
        )

    run_nights(settings, first)
    run_nights(settings, nights)

    assert content(settings) == left_alone
    assert (settings.raw_dir / "incoming" / "half").exists(), "nothing is taken to be old that is not"


def test_two_runs_of_the_same_nights_at_once_leave_the_rows_of_one(
    installation: Installation, nights: Nights, left_alone: dict[str, tuple[int, str]]
) -> None:
    settings = installation("twice")
    report = context().Queue()
    children = [context().Process(target=run_all, args=(settings, nights, list, report)) for _ in range(2)]
    for child in children:
        child.start()
    said = [report.get(timeout=120) for _ in children]
    for child in children:
        child.join()

    assert said == ["done", "done"]
    assert content(settings) == left_alone


def test_a_poisoned_shard_fails_alone_says_which_file_and_is_mended_by_doing_it_again(
    installation: Installation, nights: Nights, left_alone: dict[str, tuple[int, str]]
) -> None:
    settings = installation("poisoned").model_copy(update={"journals_per_shard": 3, "max_shards": 4})
    run_nights(settings, nights)
    shards = sorted(collect(settings, nights).shards)
    assert len(shards) > 1
    for shard in shards:
        measure(settings, nights, shard)
    poisoned = settings.work_dir / nights.name / "prepared" / f"shard-{shards[0]:03d}.arrow"
    poisoned.write_bytes(poisoned.read_bytes()[:1000])
    (settings.work_dir / nights.name / "scores" / f"shard-{shards[0]:03d}.parquet").unlink(missing_ok=True)

    with pytest.raises(Exception, match=r"(?i)arrow|file|footer|invalid"):
        score(settings, nights, shards[0])
    assert score(settings, nights, shards[1]).n_scored > 0
    measure(settings, nights, shards[0])
    score(settings, nights, shards[0])

    assert content(settings) == left_alone
    assert read_parquet(settings.work_dir / nights.name / "manifest.parquet").num_rows > 0
