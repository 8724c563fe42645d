"""Metrics of pipeline runs in MLflow, so that a drop in volume or quality is seen beside the model."""

from __future__ import annotations

from typing import TYPE_CHECKING

from affect_pipeline.nights import Nights
from affect_pipeline.settings import Settings

if TYPE_CHECKING:
    from mlflow import MlflowClient

EXPERIMENT = "affect-runs"
NIGHTS_TAG = "affect.nights"


def log_run_metrics(
    settings: Settings, nights: Nights, job: str, counts: dict[str, int], model_digest: str | None
) -> str:
    """Log the counts of a run in MLflow; the same nights run again by the same job use the same MLflow run.

    Parameters
    ----------
    settings : Settings
        The installation.
    nights : Nights
        The nights of the run.
    job : str
        DAG or command that ran them.
    counts : dict of str to int
        Metrics to log, with ``n_journals`` and ``n_quarantined`` among them.
    model_digest : str, optional
        Model version that scored.

    Returns
    -------
    str
        Id of the MLflow run.

    Raises
    ------
    RegistryUnavailable
        If MLflow cannot be reached.
    """
    from affect_pipeline.model.tracking import experiment_id, mlflow_client

    metrics = dict(counts, quarantined_share=counts["n_quarantined"] / max(counts["n_journals"], 1))
    with mlflow_client(settings) as client:
        run_id = _find_or_start(client, experiment_id(settings, client, EXPERIMENT), nights, job)
        for name, value in metrics.items():
            client.log_metric(run_id, name, float(value))
        client.set_tag(run_id, "affect.model_digest", model_digest or "none")
        client.set_terminated(run_id)
    return run_id


def _find_or_start(client: MlflowClient, experiment: str, nights: Nights, job: str) -> str:
    wanted = f"tags.`{NIGHTS_TAG}` = '{nights.name}' and tags.`affect.job` = '{job}'"
    found = client.search_runs([experiment], filter_string=wanted, max_results=1)
    if found:
        return str(found[0].info.run_id)
    tags = {NIGHTS_TAG: nights.name, "affect.job": job}
    return str(client.create_run(experiment, tags=tags, run_name=nights.name).info.run_id)
