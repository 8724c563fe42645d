"""The stages of a run as Airflow tasks, shared by the DAG files.

Imported whenever Airflow parses a DAG file: a stage, and all that it needs, is imported by its task.
Between tasks go counts and names, never data.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from airflow.sdk import (  # type: ignore[attr-defined]  # its stub leaves out the deadline classes
    Asset,
    AsyncCallback,
    BaseNotifier,
    Context,
    DeadlineAlert,
    DeadlineReference,
    ExceptionRetryPolicy,
    RetryAction,
    RetryRule,
    get_current_context,
    task,
)

from affect_pipeline.nights import Nights
from affect_pipeline.notify import Message, Nobody, Notifier, notifier_of
from affect_pipeline.orchestration import (
    HOPELESS_ERRORS,
    folder_uri,
    landing_uri,
    night_of_run,
    nights_of_backfill,
    table_uri,
)
from affect_pipeline.placement import CPU_QUEUE, GPU_QUEUE, configured_executor, gpu_executor_config
from affect_pipeline.settings import get_settings

OWNER = "affect"

DEFAULT_ARGS: dict[str, Any] = {
    "owner": OWNER,
    "queue": CPU_QUEUE,
    "retries": 2,
    "retry_delay": timedelta(seconds=20),
    "retry_exponential_backoff": True,
    "retry_policy": ExceptionRetryPolicy(rules=[RetryRule(exception=list(HOPELESS_ERRORS), action=RetryAction.FAIL)]),
    "execution_timeout": timedelta(hours=12),
}
"""Arguments of every task: tried three times, save for errors that trying again cannot mend."""

ON_GPU: dict[str, Any] = {
    "pool": "gpu",
    "queue": GPU_QUEUE,
    "executor_config": gpu_executor_config(get_settings(), configured_executor()),
}
"""Arguments of tasks that hold the model: they take a slot of the pool wherever they run."""


def nightly_deadline() -> DeadlineAlert:
    """Return the deadline of the nightly DAG, as the settings say."""
    return DeadlineAlert(
        reference=DeadlineReference.DAGRUN_QUEUED_AT,
        interval=timedelta(minutes=get_settings().nightly_deadline_minutes),
        callback=AsyncCallback("affect_pipeline.notify.deadline_missed"),
    )


def current_nights() -> Nights:
    """Return the nights that the current run works on: one of the nightly DAG, a range of a backfill."""
    context = get_current_context()
    params, run = context["params"], context["dag_run"]
    if "first_night" in params:
        return nights_of_backfill(params["first_night"], params["last_night"])
    return night_of_run(run.logical_date, run.run_after, params.get("night"))


class TellPeople(BaseNotifier):
    """An Airflow notifier that sends one message to ``AFFECT_NOTIFY_URLS`` through Apprise.

    Airflow's own Apprise notifier does not say whether a message got through; this one raises.

    Parameters
    ----------
    message : Message, optional
        What to send. By default, that the run failed.
    """

    def __init__(self, message: Message | None = None) -> None:
        super().__init__()
        self.message = message

    def notify(self, context: Context) -> None:
        """Send the message."""
        notifier_of(get_settings()).send(self.message or _run_failed(context))


@dataclass(frozen=True)
class _ThroughAirflow:
    """A notifier of ours that passes messages on as Airflow notifications."""

    context: Context

    def send(self, message: Message) -> None:
        TellPeople(message)(self.context)


def _run_failed(context: Context) -> Message:
    run = context["dag_run"]
    return Message(
        f"{run.dag_id} failed",
        f"Run {run.run_id} failed ({context.get('reason', 'see Airflow')}). "
        "Mend what the log of the failed task names, then clear that task: it goes on from there.",
    )


def _push_counts(counts: dict[str, Any]) -> None:
    """Keep the counts of a task whose return value is what the next one is mapped over."""
    get_current_context()["ti"].xcom_push(key="counts", value=counts)


def tables(*names: str) -> list[Asset]:
    """Return tables of the warehouse as a task declares what it reads and writes."""
    return [Asset(table_uri(get_settings(), name)) for name in names]


def folders(*names: str) -> list[Asset]:
    """Return folders of the state as a task declares what it reads and writes."""
    return [Asset(folder_uri(get_settings(), name)) for name in names]


# Inlets and outlets are what OpenLineage tells: `tests/e2e/test_lineage.py` watches the warehouse and the state folder
# while the stages run, and holds these lists against what was read and written.
@task(
    inlets=[
        Asset(landing_uri(get_settings())),
        *tables("patients", "deliveries", "journals", "erasures", "omop_persons"),
    ],
    # Scores and biomarkers move with a recording that turns out to be another day's; a new patient gets a number.
    outlets=folders("raw", "work")
    + tables("patients", "deliveries", "journals", "questionnaires", "scores", "biomarkers", "omop_persons"),
)
def collect() -> list[int]:
    """Take in what arrived in the landing zone; return the shards to measure."""
    from affect_pipeline.stages.collect import collect as stage

    result = stage(get_settings(), current_nights())
    _push_counts(result.as_dict())
    return list(result.shards)


@task(
    doc_md="Decode and measure the recordings of one shard of patients.",
    inlets=folders("raw", "work"),
    outlets=folders("work"),
)
def measure(shard: int) -> dict[str, Any]:
    """Decode and measure the recordings of one shard of patients."""
    from affect_pipeline.stages.measure import measure as stage

    return stage(get_settings(), current_nights(), shard).as_dict()


@task(
    trigger_rule="none_failed",
    inlets=folders("work") + tables("journals", "deliveries", "scores", "alert_events"),
    outlets=folders("data-docs", "work")
    + tables("quality_checks", "audio_quality", "biomarkers", "journals", "nights"),
)
def validate() -> list[int]:
    """Judge every recording by the quality suite; return the shards to score."""
    from affect_pipeline.stages.validate import validate as stage

    result = stage(get_settings(), current_nights())
    _push_counts(result.as_dict())
    return list(result.shards_to_score)


@task(
    doc_md="Score the accepted recordings of one shard of patients with the champion model.",
    inlets=folders("work", "models") + tables("journals"),
    outlets=folders("work", "models") + tables("scores", "model_versions"),
    **ON_GPU,
)
def score(shard: int) -> dict[str, Any]:
    """Score the accepted recordings of one shard of patients with the champion model."""
    from affect_pipeline.stages.score import score as stage

    return stage(get_settings(), current_nights(), shard).as_dict()


@task(
    trigger_rule="none_failed",
    inlets=folders("work") + tables("scores", "biomarkers", "journals", "patients"),
    outlets=tables(
        "monitored_days",
        "baselines",
        "chart_state",
        "cohort_profiles",
        "monitor_progress",
        "drift_alerts",
        "alert_events",
    ),
)
def monitor() -> dict[str, Any]:
    """Compare every patient with their own baseline."""
    from affect_pipeline.stages.monitor import monitor as stage

    return stage(get_settings(), current_nights()).as_dict()


@task(
    inlets=tables(
        "patients",
        "journals",
        "deliveries",
        "scores",
        "biomarkers",
        "audio_quality",
        "model_versions",
        "drift_alerts",
        "alert_events",
    ),
    outlets=folders("data-docs")
    + tables("nights", "runs", "notifications", "population_comparisons", "population_notices"),
)
def publish() -> dict[str, Any]:
    """Write the summary of the run, and tell the care team of new alerts."""
    from affect_pipeline.stages.publish import RunIdentity
    from affect_pipeline.stages.publish import publish as stage

    context = get_current_context()
    run = context["dag_run"]
    identity = RunIdentity(run_id=run.run_id, dag_id=run.dag_id, started_at=run.start_date)
    # The past holds no news: a backfill tells nobody.
    is_news = run.run_type != "backfill" and "first_night" not in context["params"]
    notifier: Notifier = _ThroughAirflow(context) if is_news else Nobody()
    return stage(get_settings(), current_nights(), identity, notifier).as_dict()


def run_stages() -> None:
    """Wire the stages, in the DAG that is being defined."""
    validated = validate()
    measure.expand(shard=collect()) >> validated
    scored = score.expand(shard=validated)
    scored >> monitor() >> publish()
