"""What every DAG of ours keeps to, and what the two that run the stages are wired like."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from affect_pipeline.orchestration import HOPELESS_ERRORS
from affect_pipeline.settings import Settings

STAGE_DAGS = ("nightly_voice_monitoring", "history_backfill")

Dags = dict[str, Any]


@pytest.fixture(params=STAGE_DAGS)
def stage_dag(request: pytest.FixtureRequest, dags: Dags) -> Any:
    return dags[request.param]


def all_tasks(dags: Dags) -> list[tuple[str, dict[str, Any]]]:
    return [(f"{dag_id}.{task_id}", task) for dag_id, dag in dags.items() for task_id, task in dag["tasks"].items()]


def test_every_dag_file_is_imported_without_errors(dag_facts: dict[str, Any]) -> None:
    assert dag_facts["import_errors"] == {}
    assert set(STAGE_DAGS) <= set(dag_facts["dags"])


def test_all_dag_files_together_take_less_than_a_second_beyond_airflow_itself(dag_facts: dict[str, Any]) -> None:
    assert dag_facts["cpu_s"] < 1.0


def test_dag_files_import_nothing_heavy(dag_facts: dict[str, Any]) -> None:
    assert dag_facts["heavy_modules"] == []


def test_every_dag_explains_itself_is_tagged_never_catches_up_and_tells_when_it_fails(dags: Dags) -> None:
    for dag_id, dag in dags.items():
        assert len(dag["doc_md"] or "") > 200, dag_id
        assert "affect" in dag["tags"], dag_id
        assert not dag["catchup"], dag_id
        assert dag["has_failure_callback"], dag_id


def test_every_task_has_an_owner_and_documentation_and_is_tried_again(dags: Dags) -> None:
    for name, task in all_tasks(dags):
        assert task["owner"] == "affect", name
        assert task["retries"] >= 2, name
        assert task["doc"], name


def test_no_task_tries_again_what_cannot_succeed(dags: Dags) -> None:
    for name, task in all_tasks(dags):
        assert task["fails_at_once_on"] == sorted(HOPELESS_ERRORS), name


def test_the_stages_follow_one_another(stage_dag: Any) -> None:
    upstream = {task_id: task["upstream"] for task_id, task in stage_dag["tasks"].items()}

    assert upstream == {
        "collect": [],
        "measure": ["collect"],
        "validate": ["measure"],
        "score": ["validate"],
        "monitor": ["score"],
        "publish": ["monitor"],
    }


def test_only_measuring_and_scoring_are_cut_into_shards_and_only_scoring_takes_the_gpu(stage_dag: Any) -> None:
    tasks = stage_dag["tasks"]

    assert [task_id for task_id, task in tasks.items() if task["mapped"]] == ["measure", "score"]
    assert {task_id for task_id, task in tasks.items() if task["pool"] == "gpu"} == {"score"}


def test_a_night_without_journals_runs_to_its_end(stage_dag: Any) -> None:
    for after_mapped in ("validate", "monitor"):
        assert stage_dag["tasks"][after_mapped]["trigger_rule"] == "none_failed"


def test_the_nightly_runs_one_at_a_time_by_data_interval_with_the_deadline_of_the_settings(dags: Dags) -> None:
    nightly = dags["nightly_voice_monitoring"]

    assert nightly["schedule"] == "CronDataIntervalTimetable"
    assert nightly["max_active_runs"] == 1
    assert nightly["params"] == ["night"]
    assert nightly["deadline_s"] == [Settings().nightly_deadline_minutes * 60]


def test_the_backfill_runs_only_when_asked_over_a_range(dags: Dags) -> None:
    backfill = dags["history_backfill"]

    assert backfill["schedule"] == "NullTimetable"
    assert backfill["params"] == ["first_night", "last_night"]
    assert backfill["deadline_s"] == []


def test_lineage_names_tables_of_the_configured_warehouse_without_credentials(stage_dag: Any) -> None:
    uris = [uri for task in stage_dag["tasks"].values() for uri in task["inlets"] + task["outlets"]]
    tables = [uri for uri in uris if not uri.startswith("file:")]

    assert stage_dag["tasks"]["collect"]["inlets"][0].startswith("file:///")
    assert "postgres://db.example.org:5432/clinic/affect/scores" in stage_dag["tasks"]["score"]["outlets"]
    assert all(uri.startswith("postgres://db.example.org:5432/clinic/affect/") for uri in tables)


def test_what_publish_does_to_the_recordings_as_a_whole_stands_in_both_dags_and_in_the_architecture(
    stage_dag: Any,
) -> None:
    architecture = Path(__file__).parents[2] / "docs" / "architecture.md"

    assert "recordings as a whole" in stage_dag["doc_md"]
    assert "population_comparisons" in architecture.read_text()
