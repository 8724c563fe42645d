"""What the tasks say they read and write, held against what the stages really read and write.

The stages run here one by one, with the warehouse's own counters of rows and scans, and the state folder, looked at
between them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from affect_pipeline.model.workflow import (
    Corpora,
    compare_recent,
    evaluate_candidate,
    history_shards,
    promote_challenger,
    register_challenger,
    rescore_history,
    shadow_score,
    train_candidate,
    training_work,
)
from affect_pipeline.nights import Nights
from affect_pipeline.notify import RecordingNotifier
from affect_pipeline.privacy.housekeeping import housekeeping
from affect_pipeline.settings import Settings
from affect_pipeline.stages.collect import collect
from affect_pipeline.stages.in_process import STAGES
from affect_pipeline.stages.measure import measure
from affect_pipeline.stages.monitor import monitor
from affect_pipeline.stages.publish import publish
from affect_pipeline.stages.score import score
from affect_pipeline.stages.validate import validate
from affect_pipeline.warehouse.engine import connect, disconnect
from tests.dags.conftest import dag_facts, dags
from tests.e2e.conftest import Installation, SmallCohort
from tests.model.clinic import clinic, recordings
from tests.model.test_workflow import RUN, made_elsewhere

__all__ = ["clinic", "dag_facts", "dags", "recordings"]

WHEN_THERE_IS_SOMETHING = {
    "collect": {"questionnaires", "scores", "biomarkers"},
    "validate": {"quality_checks"},
    "score": {"models"},
    "monitor": {"cohort_profiles", "drift_alerts", "alert_events"},
    "publish": {"notifications", "population_notices", "data-docs"},
}
"""What a stage writes on some nights only: alerts, shifts, questionnaires, a model that was not fetched before."""

COUNTERS = """
SELECT
    coalesce(parents.relname, tables.relname),
    cast(sum(coalesce(counters.seq_scan, 0) + coalesce(counters.idx_scan, 0)) AS bigint),
    cast(sum(counters.n_tup_ins + counters.n_tup_upd + counters.n_tup_del) AS bigint)
FROM pg_stat_user_tables AS counters
JOIN pg_class AS tables ON tables.oid = counters.relid
LEFT JOIN pg_inherits AS partitions ON partitions.inhrelid = tables.oid
LEFT JOIN pg_class AS parents ON parents.oid = partitions.inhparent
WHERE counters.schemaname = 'affect'
GROUP BY 1
"""

OTHERS = """
SELECT count(*) FROM pg_stat_activity
WHERE datname = current_database() AND backend_type = 'client backend' AND pid <> pg_backend_pid()
"""


@dataclass(frozen=True)
class Touched:
    """What a stage read and wrote: tables, and folders of the state by name."""

    read: set[str]
    written: set[str]


def counters(settings: Settings) -> dict[str, tuple[int, int]]:
    """Return scans and changes of each table; a connection tells the last of its own before it is gone."""
    disconnect(settings)
    with connect(settings).connect() as connection:
        while connection.execute(sa.text(OTHERS)).scalar_one():
            connection.rollback()  # activity is looked at once a transaction
        found = {name: (scans, changes) for name, scans, changes in connection.execute(sa.text(COUNTERS))}
    disconnect(settings)
    return found


def files(home: Path) -> dict[Path, int]:
    return {path: path.stat().st_mtime_ns for path in home.rglob("*") if path.is_file()}


def watch(settings: Settings, stage: Callable[[], Any]) -> Touched:
    before, files_before = counters(settings), files(settings.home)
    stage()
    after, files_after = counters(settings), files(settings.home)
    known = {name: before.get(name, (0, 0)) for name in after}
    folders = {
        path.relative_to(settings.home).parts[0]
        for path, changed_at in files_after.items()
        if files_before.get(path) != changed_at
    }
    return Touched(
        {name for name, (scans, _) in after.items() if scans > known[name][0]},
        {name for name, (_, changes) in after.items() if changes > known[name][1]} | (folders & STATE),
    )


STATE = {"raw", "work", "data-docs", "training", "models"}


@pytest.fixture(scope="module")
def settings(installation: Installation) -> Settings:
    return installation("lineage")


@pytest.fixture(scope="module")
def touched(settings: Settings, cohort: SmallCohort) -> dict[str, Touched]:
    nights = cohort.last_nights[0]
    shards: dict[str, tuple[int, ...]] = {}

    def each(stage: Callable[[Settings, Nights, int], Any], name: str) -> None:
        for shard in shards[name]:
            stage(settings, nights, shard)

    work: dict[str, Callable[[], Any]] = {
        "collect": lambda: shards.update(measure=collect(settings, nights).shards),
        "measure": lambda: each(measure, "measure"),
        "validate": lambda: shards.update(score=validate(settings, nights).shards_to_score),
        "score": lambda: each(score, "score"),
        "monitor": lambda: monitor(settings, nights),
        "publish": lambda: publish(settings, nights, notifier=RecordingNotifier()),
    }
    return {name: watch(settings, work[name]) for name in STAGES}


def declared(dags: dict[str, Any], stage: str, which: str, dag_id: str = "nightly_voice_monitoring") -> set[str]:
    uris = dags[dag_id]["tasks"][stage][which]
    return {uri.rsplit("/", 1)[-1] for uri in uris} - {"landing"}


@pytest.mark.parametrize("stage", STAGES)
def test_a_task_declares_every_table_and_folder_that_its_stage_writes(
    touched: dict[str, Touched], dags: dict[str, Any], stage: str
) -> None:
    outlets = declared(dags, stage, "outlets")

    assert touched[stage].written <= outlets
    assert outlets - touched[stage].written <= WHEN_THERE_IS_SOMETHING.get(stage, set())


@pytest.mark.parametrize("stage", STAGES)
def test_a_task_declares_every_table_that_its_stage_reads_and_none_that_it_does_not(
    touched: dict[str, Touched], dags: dict[str, Any], stage: str
) -> None:
    inlets, outlets = declared(dags, stage, "inlets"), declared(dags, stage, "outlets")

    assert touched[stage].read <= inlets | outlets
    assert inlets - {"raw", "work", "models"} <= touched[stage].read


def test_both_dags_declare_the_same(dags: dict[str, Any]) -> None:
    nightly, backfill = (dags[name]["tasks"] for name in ("nightly_voice_monitoring", "history_backfill"))

    assert {name: (task["inlets"], task["outlets"]) for name, task in nightly.items()} == {
        name: (task["inlets"], task["outlets"]) for name, task in backfill.items()
    }
    assert all(task["inlets"] and task["outlets"] for task in nightly.values())


def test_the_life_of_a_challenger_touches_what_its_tasks_declare(
    clinic: Settings, dags: dict[str, Any], tmp_path: Path
) -> None:
    said: dict[str, Any] = {}
    given = made_elsewhere(tmp_path / "gpu")

    def rescored() -> None:
        for shard in said["shards"]:
            rescore_history(clinic, said["version"], shard, len(said["shards"]))

    work: dict[str, Callable[[], Any]] = {
        "train": lambda: said.update(folder=train_candidate(clinic, RUN, Corpora({}), given)),
        "evaluate": lambda: evaluate_candidate(said["folder"], Corpora({}), training_work(clinic)),
        "register": lambda: said.update(version=str(register_challenger(clinic, said["folder"]).version)),
        "shadow": lambda: shadow_score(clinic, said["version"], 2),
        "compare": lambda: compare_recent(clinic, said["version"], 2),
        "plan_history": lambda: said.update(shards=history_shards(clinic, said["version"])),
        "rescore": rescored,
        "promote": lambda: promote_challenger(clinic, said["version"], "ann"),
    }
    for task, stage in work.items():
        inlets, outlets = (declared(dags, task, which, "model_training") for which in ("inlets", "outlets"))
        found = watch(clinic, stage)

        assert found.written <= outlets, task
        assert outlets - found.written <= ({"training"} if task == "evaluate" else set()), task  # measured already
        assert found.read <= inlets | outlets, task
        assert inlets - STATE <= found.read, task


@pytest.mark.usefixtures("touched")
def test_an_erasure_touches_what_its_task_declares(
    settings: Settings, cohort: SmallCohort, dags: dict[str, Any]
) -> None:
    strict = settings.model_copy(update={"keep_patient_days": 1, "keep_work_days": 1})
    inlets, outlets = (declared(dags, "keep_house", which, "privacy_housekeeping") for which in ("inlets", "outlets"))

    found = watch(strict, lambda: housekeeping(strict, cohort.nights.last + timedelta(days=9)))

    assert found.written <= outlets
    assert found.read <= inlets | outlets
    assert inlets <= found.read
    assert outlets - STATE <= found.read | found.written
