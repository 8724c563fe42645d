"""Describes the DAG files as JSON, in a process of its own: ``python describe.py DAGS_FOLDER OUTPUT``.

Apart from the tests, because importing Airflow makes its home folder, warns, and changes the
logging of the process.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from airflow.dag_processing.dagbag import DagBag
from airflow.sdk.definitions.mappedoperator import MappedOperator

HEAVY = (
    "great_expectations", "librosa", "mlflow", "numpy", "pandas", "pyarrow", "scipy", "sklearn", "sqlalchemy", "torch",
    "transformers",
)  # fmt: skip


TRIVIAL_DAG = """
from airflow.sdk import (
    Asset, AsyncCallback, BaseNotifier, CronDataIntervalTimetable, DeadlineAlert, DeadlineReference,
    ExceptionRetryPolicy, Param, RetryRule, dag, task,
)

@dag(schedule=CronDataIntervalTimetable("@daily", timezone="UTC"), params={"x": Param("2026-01-05", format="date")})
def trivial():
    @task(outlets=[Asset("postgres://localhost:5432/a/b/c")])
    def work(): ...

    work()

trivial()
"""
"""Loaded first, so that what Airflow itself takes is not counted."""


def main(folder: str, output: str) -> None:
    """Load the DAG files once for their cost, and describe what they define."""
    with tempfile.TemporaryDirectory() as trivial:
        Path(trivial, "trivial.py").write_text(TRIVIAL_DAG)
        assert (errors := DagBag(trivial).import_errors) == {}, errors
    before = set(sys.modules)
    started = time.process_time()
    bag = DagBag(folder)
    cpu_s = time.process_time() - started
    loaded = {name.partition(".")[0] for name in set(sys.modules) - before}
    facts = {
        "import_errors": bag.import_errors,
        "cpu_s": cpu_s,
        "heavy_modules": sorted(loaded & set(HEAVY)),
        "dags": {dag_id: describe(dag) for dag_id, dag in bag.dags.items()},
        "approval": approval(bag.dags["model_training"].get_task("approve")),
    }
    Path(output).write_text(json.dumps(facts))


def approval(task: Any) -> dict[str, Any]:
    """Return what the task that asks a person leaves for later ones, once ann has approved."""
    answer = {
        "chosen_options": [task.APPROVE],
        "params_input": {},
        "responded_at": datetime.now(UTC),
        "responded_by_user": {"id": "7", "name": "ann"},
    }
    return dict(task.execute_complete({}, answer)) | {"responded_at": None}


def describe(dag: Any) -> dict[str, Any]:
    """Return what the policy tests look at."""
    return {
        "doc_md": dag.doc_md,
        "tags": sorted(dag.tags),
        "catchup": dag.catchup,
        "max_active_runs": dag.max_active_runs,
        "schedule": type(dag.timetable).__name__,
        "deadline_s": [alert.interval.total_seconds() for alert in dag.deadline or []],
        "params": sorted(dag.params),
        "has_failure_callback": bool(dag.on_failure_callback),
        "tasks": {task.task_id: describe_task(task) for task in dag.tasks},
    }


def describe_task(task: Any) -> dict[str, Any]:
    """Return what the policy tests look at."""
    mapped = isinstance(task, MappedOperator)
    policy = task.partial_kwargs["retry_policy"] if mapped else task.retry_policy
    return {
        "owner": task.owner,
        "retries": task.retries,
        "pool": task.pool,
        "queue": task.queue,
        "mapped": mapped,
        "trigger_rule": task.trigger_rule.value,
        "upstream": sorted(task.upstream_task_ids),
        "doc": bool(task.partial_kwargs.get("doc_md") if mapped else task.doc_md),
        "outlets": [asset.uri for asset in task.outlets],
        "inlets": [asset.uri for asset in task.inlets],
        "fails_at_once_on": sorted(name for rule in policy.rules for name in rule._specs),
    }


if __name__ == "__main__":
    main(*sys.argv[1:])
