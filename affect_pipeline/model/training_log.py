"""What MLflow keeps of a training: parameters, figures, confusion, calibration, digests, code version."""

from __future__ import annotations

import hashlib
import json
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from affect_pipeline.model.calibration import Calibration
from affect_pipeline.model.corpora import EMOTIONS, Recording
from affect_pipeline.model.encoder import folder_digest
from affect_pipeline.model.evaluate import Figure
from affect_pipeline.model.heads import TASKS, answers
from affect_pipeline.model.summary import flat_numbers
from affect_pipeline.model.tracking import experiment_id, mlflow_client
from affect_pipeline.model.train import Trained, TrainPlan
from affect_pipeline.settings import Settings

if TYPE_CHECKING:
    from mlflow import MlflowClient


class Calibrated(Protocol):
    """What has a calibration."""

    @property
    def calibration(self) -> Calibration:
        """Its calibration."""
        ...


EXPERIMENT = "affect-training"
MOST_METRICS = 1000
VEGA_LITE = "https://vega.github.io/schema/vega-lite/v6.json"


def log_training(
    settings: Settings,
    trained: Trained,
    plan: TrainPlan,
    rows: Sequence[Figure],
    folder: Path,
    curve: Mapping[str, Sequence[float]] | None = None,
) -> str:
    """Log a training as one MLflow run and return the run's id.

    File names and speakers of a corpus are not logged: a clinic may train on its own recordings.

    Parameters
    ----------
    settings : Settings
        The installation.
    trained : Trained
        What came out.
    plan : TrainPlan
        How it was trained.
    rows : sequence of Figure
        What was measured.
    folder : Path
        The saved model.
    curve : mapping of str to sequence of float, optional
        Losses of each step of the encoder's fine-tuning.
    """
    with mlflow_client(settings) as client:
        run = client.create_run(experiment_id(settings, client, EXPERIMENT))
        run_id = str(run.info.run_id)
        for name, value in {**flat_texts(asdict(plan)), "data_digest": data_digest(trained.recordings)}.items():
            client.log_param(run_id, name, value)
        for metric, number in training_metrics(trained, rows).items():
            client.log_metric(run_id, metric, number)
        client.set_tag(run_id, "model_digest", folder_digest(folder))
        client.set_tag(run_id, "code_version", code_version())
        log_curve(client, run_id, curve or {}, "fine_tuning")
        tuning = trained.encoder.affect.training.get("fine_tuning", {}).get("plan", {})
        for name, value in flat_texts(tuning, "fine_tuning.").items():
            client.log_param(run_id, name, value)
        client.log_dict(run_id, {t.name: confusion(trained, i) for i, t in enumerate(TASKS)}, "confusion.json")
        client.log_text(run_id, json.dumps(confusion_chart(trained)), "confusion.vl.json")
        if trained.emotions_said:
            client.log_dict(run_id, emotion_confusion(trained), "emotion_confusion.json")
            client.log_text(run_id, json.dumps(emotion_chart(trained)), "emotion_confusion.vl.json")
        client.log_dict(run_id, corpus_digests(trained.recordings), "data_digests.json")
        client.log_dict(run_id, asdict(trained.calibration), "calibration.json")
        client.log_text(run_id, json.dumps(calibration_chart(trained)), "calibration.vl.json")
        client.set_terminated(run_id)
    return run_id


def log_distillation(
    settings: Settings,
    plan: Mapping[str, Any],
    recordings: Sequence[Recording],
    folder: Path,
    curve: Mapping[str, Sequence[float]],
    first_step: int = 0,
) -> str:
    """Log a distillation as one MLflow run and return the run's id.

    Parameters
    ----------
    settings : Settings
        The installation.
    plan : mapping
        Everything that decides the outcome: teacher and plan.
    recordings : sequence of Recording
        What was heard.
    folder : Path
        The saved student.
    curve : mapping of str to sequence of float
        Losses of each step.
    first_step : int
        Step of the first loss: a run that went on after a kill logs what it did itself.
    """
    with mlflow_client(settings) as client:
        run_id = str(client.create_run(experiment_id(settings, client, EXPERIMENT)).info.run_id)
        for name, value in {**flat_texts(dict(plan)), "data_digest": data_digest(recordings)}.items():
            client.log_param(run_id, name, value)
        log_curve(client, run_id, curve, "distillation", first_step)
        client.log_dict(run_id, corpus_digests(recordings), "data_digests.json")
        client.set_tag(run_id, "model_digest", folder_digest(folder))
        client.set_tag(run_id, "code_version", code_version())
        client.set_terminated(run_id)
    return run_id


def log_curve(
    client: MlflowClient, run_id: str, curve: Mapping[str, Sequence[float]], name: str, first_step: int = 0
) -> None:
    """Log the losses of each step as metrics with steps, a thousand at a time as MLflow allows."""
    from mlflow.entities import Metric

    now_ms = int(time.time() * 1000)
    points = [
        Metric(f"{name}.{loss}", value, now_ms, first_step + step)
        for loss, values in curve.items()
        for step, value in enumerate(values)
    ]
    for start in range(0, len(points), MOST_METRICS):
        client.log_batch(run_id, metrics=points[start : start + MOST_METRICS])


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


def confusion_chart(trained: Trained) -> dict[str, Any]:
    """Return what was said to each emotion as a heat map in Vega-Lite: the share of its recordings above logit 0."""
    emotions = np.array([r.emotion or "" for r in trained.recordings])
    cells = []
    for index, task in enumerate(TASKS):
        said = trained.logits[:, index]
        for emotion in sorted(set(emotions) - {""}):
            mine = said[(emotions == emotion) & ~np.isnan(said)]
            if mine.size:
                share = round(float(np.mean(mine > 0)), 4)
                cells.append({"emotion": emotion, "question": task.name, "yes": share, "n": int(mine.size)})
    encoding = {
        "x": {"field": "question", "type": "nominal"},
        "y": {"field": "emotion", "type": "nominal"},
        "color": {"field": "yes", "type": "quantitative", "scale": {"domain": [0, 1]}},
        "tooltip": [{"field": name} for name in ("emotion", "question", "yes", "n")],
    }
    return {"$schema": VEGA_LITE, "data": {"values": cells}, "mark": "rect", "encoding": encoding}


def emotion_confusion(trained: Trained) -> dict[str, dict[str, int]]:
    """Return how often each emotion was taken for which, by heads that never heard the speaker: true, then said."""
    counts: dict[str, dict[str, int]] = {}
    for recording, said in zip(trained.recordings, trained.emotions_said, strict=True):
        if recording.emotion and said:
            row = counts.setdefault(recording.emotion, {})
            row[said] = row.get(said, 0) + 1
    said_words = [word for word in EMOTIONS if any(word in row for row in counts.values())]
    return {word: {said: counts[word].get(said, 0) for said in said_words} for word in EMOTIONS if word in counts}


def emotion_chart(trained: Trained) -> dict[str, Any]:
    """Return `emotion_confusion` as a heat map in Vega-Lite, each row as shares of the emotion's recordings."""
    cells = [
        {"emotion": word, "said": said, "share": round(n / max(sum(row.values()), 1), 4), "n": n}
        for word, row in emotion_confusion(trained).items()
        for said, n in row.items()
    ]
    encoding = {
        "x": {"field": "said", "type": "nominal", "sort": list(EMOTIONS)},
        "y": {"field": "emotion", "type": "nominal", "sort": list(EMOTIONS)},
        "color": {"field": "share", "type": "quantitative", "scale": {"domain": [0, 1]}},
        "tooltip": [{"field": name} for name in ("emotion", "said", "share", "n")],
    }
    return {"$schema": VEGA_LITE, "data": {"values": cells}, "mark": "rect", "encoding": encoding}


def calibration_chart(trained: Calibrated) -> dict[str, Any]:
    """Return the reliability diagram as a Vega-Lite specification."""
    points = [{"said": bin_.said, "true": bin_.true, "n": bin_.n} for bin_ in trained.calibration.reliability]
    axes = {
        "x": {"field": "said", "type": "quantitative", "scale": {"domain": [0, 1]}, "title": "probability said"},
        "y": {"field": "true", "type": "quantitative", "scale": {"domain": [0, 1]}, "title": "share that was true"},
    }
    diagonal = {"data": {"values": [{"said": 0, "true": 0}, {"said": 1, "true": 1}]}, "mark": "rule", "encoding": axes}
    bins = {"mark": {"type": "line", "point": True}, "encoding": {**axes, "tooltip": {"field": "n"}}}
    return {"$schema": VEGA_LITE, "data": {"values": points}, "layer": [{**diagonal, "mark": "line"}, bins]}


def data_digest(recordings: Sequence[Recording]) -> str:
    """Return a digest of the recordings' contents and labels, in order."""
    digest = hashlib.sha256()
    for r in recordings:
        digest.update(hashlib.sha256(r.path.read_bytes()).digest())
        digest.update(f"{r.corpus}|{r.speaker}|{r.emotion}|{r.phq8}".encode())
    return digest.hexdigest()


def corpus_digests(recordings: Sequence[Recording]) -> dict[str, dict[str, Any]]:
    """Return for each corpus how many recordings were given and the digest of their contents and labels."""
    found: dict[str, dict[str, Any]] = {}
    for name in sorted({r.corpus for r in recordings}):
        mine = [r for r in recordings if r.corpus == name]
        found[name] = {"recordings": len(mine), "digest": data_digest(mine)}
    return found


def code_version() -> str:
    """Return the git commit of the code, or ``unknown`` outside a checkout."""
    here = Path(__file__).parent
    found = subprocess.run(["git", "rev-parse", "HEAD"], cwd=here, capture_output=True, text=True, check=False)
    return found.stdout.strip() or "unknown"


def flat_texts(values: dict[str, Any], prefix: str = "") -> dict[str, str]:
    """Return nested values as texts, named by their path, as MLflow keeps parameters."""
    flat: dict[str, str] = {}
    for name, value in values.items():
        flat |= flat_texts(value, f"{prefix}{name}.") if isinstance(value, dict) else {f"{prefix}{name}": str(value)}
    return flat
