"""How the DAG `model_training` is wired; what its tasks do is tested in tests/model/test_workflow.py."""

from __future__ import annotations

from typing import Any

import pytest

from affect_pipeline.model.workflow import approver


@pytest.fixture
def training(dags: dict[str, Any]) -> Any:
    return dags["model_training"]


def test_it_runs_only_when_asked_one_at_a_time(training: Any) -> None:
    assert training["schedule"] == "NullTimetable"
    assert training["max_active_runs"] == 1
    assert training["params"] == ["corpora", "model_folder", "shadow_days"]


def test_nothing_is_promoted_that_was_not_measured_compared_approved_and_rescored(training: Any) -> None:
    upstream = {task_id: task["upstream"] for task_id, task in training["tasks"].items()}

    assert upstream == {
        "train": [],
        "evaluate": ["train"],
        "register": ["evaluate"],
        "shadow": ["register"],
        "compare": ["register", "shadow"],
        "approve": ["compare"],
        "plan_history": ["approve", "register"],
        "rescore": ["plan_history", "register"],
        "promote": ["register", "rescore"],
    }


def test_scoring_takes_the_gpu_and_the_history_is_cut_into_shards(training: Any) -> None:
    tasks = training["tasks"]

    assert {task_id for task_id, task in tasks.items() if task["pool"] == "gpu"} == {"shadow", "rescore"}
    assert [task_id for task_id, task in tasks.items() if task["mapped"]] == ["rescore"]


def test_a_history_that_is_scored_already_does_not_stop_the_promotion(training: Any) -> None:
    assert training["tasks"]["promote"]["trigger_rule"] == "none_failed"


def test_who_approved_is_told_to_the_promotion(dag_facts: dict[str, Any]) -> None:
    assert approver(dag_facts["approval"]) == "ann"
    assert approver(dag_facts["approval"] | {"responded_by_user": {"id": "7", "name": ""}}) == "7"
    assert approver(dag_facts["approval"] | {"responded_by_user": None}) is None
    assert approver(None) is None


def test_its_documentation_names_every_task_and_parameter(training: Any) -> None:
    for name in [*training["tasks"], *training["params"]]:
        assert f"`{name}`" in training["doc_md"], name
