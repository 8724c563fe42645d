"""Train a challenger, measure it, let it listen beside the champion, ask a person, and make it the champion.

| task | what it does |
|---|---|
| `train` | fits heads on the champion's encoder with labelled corpora, or takes a model folder made elsewhere |
| `evaluate` | measures it, speaker-independently, on the corpora |
| `register` | registers it in MLflow as `challenger`; refused if its gate metrics are worse than the champion's |
| `shadow` | scores the journals of recent nights with it; nothing of the champion's changes |
| `compare` | agreement of both on the same journals |
| `approve` | waits for a person, who sees the gate metrics and the comparison under *Required actions* |
| `plan_history` | cuts the history that baselines need into shards of patients |
| `rescore` | scores the history with it (pool `gpu`) |
| `promote` | moves the alias `champion` in one step; the audit trail names who approved |

Parameters: `corpora` lists labelled corpora as `NAME=FOLDER`; `model_folder` names a model that was
trained elsewhere, for instance on a GPU machine, instead of fitting one here; `shadow_days` is how
many days back from the last journal the two are compared.

**Doing it again.** Every task may be cleared: training goes on from what is kept, scores that are
there are not made again, and a model that is registered keeps its version.

**Rejecting** skips all that follows; the challenger keeps its alias and its scores, and changes nothing.
**Undoing**: `affect model rollback`.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from airflow.providers.standard.operators.hitl import ApprovalOperator
from airflow.sdk import Param, dag, get_current_context, task

from affect_pipeline.airflow_tasks import DEFAULT_ARGS, ON_GPU, TellPeople, folders, tables
from affect_pipeline.notify import Message
from affect_pipeline.settings import get_settings

WAITING = Message(
    "A model waits for approval",
    "A new model was compared with the champion. Approve or reject it in Airflow, under Required actions.",
)


@task(inlets=folders("models"), outlets=folders("training"))
def train() -> str:
    """Fit heads on the champion's encoder, or take the given model folder; return the candidate's folder."""
    from affect_pipeline.model.workflow import Corpora, train_candidate

    context = get_current_context()
    params = context["params"]
    corpora = Corpora.parse(params["corpora"])
    return str(train_candidate(get_settings(), context["dag_run"].run_id, corpora, params["model_folder"]))


@task(inlets=folders("training"), outlets=folders("training"))
def evaluate(folder: str) -> str:
    """Measure the candidate on the corpora; return its folder."""
    from pathlib import Path

    from affect_pipeline.model.workflow import Corpora, evaluate_candidate, training_work

    corpora = Corpora.parse(get_current_context()["params"]["corpora"])
    evaluate_candidate(Path(folder), corpora, training_work(get_settings()))
    return folder


@task(inlets=folders("training"), outlets=folders("models"))
def register(folder: str) -> str:
    """Register the candidate as challenger; return its version."""
    from pathlib import Path

    from affect_pipeline.model.workflow import register_challenger

    return str(register_challenger(get_settings(), Path(folder)).version)


@task(
    inlets=folders("models", "raw") + tables("journals"),
    outlets=folders("models") + tables("scores", "model_versions"),
    **ON_GPU,
)
def shadow(version: str) -> dict[str, int]:
    """Score the journals of recent nights with the challenger, beside the champion."""
    from affect_pipeline.model.workflow import shadow_score

    return shadow_score(get_settings(), version, get_current_context()["params"]["shadow_days"]).as_dict()


@task(inlets=tables("journals", "scores"))
def compare(version: str) -> str:
    """Compare both models on the same journals; return the report for the approver."""
    from affect_pipeline.model.workflow import approval_text, compare_recent

    settings = get_settings()
    context = get_current_context()
    comparison = compare_recent(settings, version, context["params"]["shadow_days"])
    context["ti"].xcom_push(key="comparison", value=comparison.as_dict())
    return approval_text(settings, version, comparison)


@task(inlets=tables("baselines", "journals", "scores"))
def plan_history(version: str) -> list[dict[str, int]]:
    """Cut the history that baselines need into shards of patients."""
    from affect_pipeline.model.workflow import history_shards

    shards = history_shards(get_settings(), version)
    return [{"shard": shard, "n_shards": len(shards)} for shard in shards]


@task(
    doc_md="Score one shard of the history with the approved model.",
    inlets=folders("models", "raw") + tables("baselines", "journals"),
    outlets=tables("scores", "model_versions"),
    **ON_GPU,
)
def rescore(version: str, shard: int, n_shards: int) -> dict[str, int]:
    """Score one shard of the history with the approved model."""
    from affect_pipeline.model.workflow import rescore_history

    return rescore_history(get_settings(), version, shard, n_shards).as_dict()


@task(
    trigger_rule="none_failed",
    inlets=tables("baselines", "journals", "scores"),
    outlets=tables("audit_events"),
)
def promote(version: str) -> dict[str, Any]:
    """Make the approved model the champion, in one step; the audit trail says who approved."""
    from affect_pipeline.model.workflow import approver, promote_challenger

    approved_by = approver(get_current_context()["ti"].xcom_pull(task_ids="approve"))
    champion = promote_challenger(get_settings(), version, approved_by).champion
    return {"version": champion.version, "digest": champion.digest}


@dag(
    schedule=None,
    max_active_runs=1,
    catchup=False,
    params={
        "corpora": Param([], type="array", items={"type": "string"}, description="Corpora as NAME=FOLDER."),
        "model_folder": Param(
            None, type=["null", "string"], description="A model folder trained elsewhere. Empty: fit one here."
        ),
        "shadow_days": Param(14, type="integer", minimum=1, description="Days of journals to compare on."),
    },
    default_args=DEFAULT_ARGS,
    on_failure_callback=TellPeople(),
    tags=["affect", "model"],
    doc_md=__doc__,
)
def model_training() -> None:
    """Wire the life of a challenger."""
    version = register(evaluate(train()))
    compared = compare(version)
    approve = ApprovalOperator(
        task_id="approve",
        subject="Make version {{ ti.xcom_pull(task_ids='register') }} the champion?",
        body="{{ ti.xcom_pull(task_ids='compare') }}",
        ignore_downstream_trigger_rules=True,
        notifiers=[TellPeople(WAITING)],
        execution_timeout=None,  # people take longer than tasks
        response_timeout=timedelta(days=30),
        doc_md="Waits for a person to approve of the challenger, or to reject it.",
    )
    shards = plan_history(version)
    rescored = rescore.partial(version=version).expand_kwargs(shards)
    shadow(version) >> compared >> approve >> shards
    rescored >> promote(version)


model_training()
