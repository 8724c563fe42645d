"""What MLflow keeps of a training: parameters, figures, confusion, calibration, digests, code version."""

from __future__ import annotations

import hashlib
import json
import subprocess
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from affect_pipeline.model.corpora import Recording
from affect_pipeline.model.encoder import folder_digest
from affect_pipeline.model.evaluate import Figure
from affect_pipeline.model.heads import TASKS, answers
from affect_pipeline.model.summary import flat_numbers
from affect_pipeline.model.tracking import experiment_id, mlflow_client
from affect_pipeline.model.train import Trained, TrainPlan
from affect_pipeline.settings import Settings

EXPERIMENT = "affect-training"


def log_training(settings: Settings, trained: Trained, plan: TrainPlan, rows: Sequence[Figure], folder: Path) -> str:
    """Log a training as one MLflow run and return the run's id.

    File names and speakers of a corpus are not logged: a clinic may train on its own recordings.
    """
    with mlflow_client(settings) as client:
        run = client.create_run(experiment_id(settings, client, EXPERIMENT))
        run_id = str(run.info.run_id)
        for name, value in {**_flat(asdict(plan)), "data_digest": data_digest(trained.recordings)}.items():
            client.log_param(run_id, name, value)
        for metric, number in training_metrics(trained, rows).items():
            client.log_metric(run_id, metric, number)
        client.set_tag(run_id, "model_digest", folder_digest(folder))
        client.set_tag(run_id, "code_version", code_version())
        client.log_dict(run_id, {t.name: confusion(trained, i) for i, t in enumerate(TASKS)}, "confusion.json")
        client.log_dict(run_id, asdict(trained.calibration), "calibration.json")
        client.log_text(run_id, json.dumps(calibration_chart(trained)), "calibration.vl.json")
        client.set_terminated(run_id)
    return run_id


def training_metrics(trained: Trained, rows: Sequence[Figure]) -> dict[str, float]:
    """Return the numbers of a training, named by corpus, question and kind."""
    nested: dict[str, Any] = {
        f"{row.test}_{row.task}": {"auc": row.auc, "within": row.within, "personal": row.personal} for row in rows
    }
    nested["calibration"] = {
        "temperature": trained.calibration.temperature,
        "ece_before": trained.calibration.ece_before,
        "ece_after": trained.calibration.ece_after,
    }
    return flat_numbers(nested)


def confusion(trained: Trained, index: int) -> dict[str, int]:
    """Return the confusion matrix of a task at logit 0, on cross-validated logits."""
    truth, said = answers(trained.recordings, TASKS[index]), trained.logits[:, index]
    known = ~np.isnan(truth) & ~np.isnan(said)
    yes, high = truth[known] == 1, said[known] > 0
    counts = {"true_yes": yes & high, "false_no": yes & ~high, "false_yes": ~yes & high, "true_no": ~yes & ~high}
    return {name: int(np.sum(chosen)) for name, chosen in counts.items()}


def calibration_chart(trained: Trained) -> dict[str, Any]:
    """Return the reliability diagram as a Vega-Lite specification."""
    points = [{"said": bin_.said, "true": bin_.true, "n": bin_.n} for bin_ in trained.calibration.reliability]
    axes = {
        "x": {"field": "said", "type": "quantitative", "scale": {"domain": [0, 1]}, "title": "probability said"},
        "y": {"field": "true", "type": "quantitative", "scale": {"domain": [0, 1]}, "title": "share that was true"},
    }
    diagonal = {"data": {"values": [{"said": 0, "true": 0}, {"said": 1, "true": 1}]}, "mark": "rule", "encoding": axes}
    bins = {"mark": {"type": "line", "point": True}, "encoding": {**axes, "tooltip": {"field": "n"}}}
    schema = "https://vega.github.io/schema/vega-lite/v6.json"
    return {"$schema": schema, "data": {"values": points}, "layer": [{**diagonal, "mark": "line"}, bins]}


def data_digest(recordings: Sequence[Recording]) -> str:
    """Return a digest of the recordings' contents and labels, in order."""
    digest = hashlib.sha256()
    for r in recordings:
        digest.update(hashlib.sha256(r.path.read_bytes()).digest())
        digest.update(f"{r.corpus}|{r.speaker}|{r.emotion}|{r.phq8}".encode())
    return digest.hexdigest()


def code_version() -> str:
    """Return the git commit of the code, or ``unknown`` outside a checkout."""
    here = Path(__file__).parent
    found = subprocess.run(["git", "rev-parse", "HEAD"], cwd=here, capture_output=True, text=True, check=False)
    return found.stdout.strip() or "unknown"


def _flat(values: dict[str, Any], prefix: str = "") -> dict[str, str]:
    flat: dict[str, str] = {}
    for name, value in values.items():
        flat |= _flat(value, f"{prefix}{name}.") if isinstance(value, dict) else {f"{prefix}{name}": str(value)}
    return flat
