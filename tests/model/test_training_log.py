"""What MLflow is told of a training: figures, confusion, calibration, digests; no file names, no speakers."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from affect_pipeline.model.calibration import fit_calibration
from affect_pipeline.model.corpora import Recording
from affect_pipeline.model.encoder import folder_digest, tiny_encoder
from affect_pipeline.model.evaluate import figures
from affect_pipeline.model.heads import TASKS, answers
from affect_pipeline.model.tracking import mlflow_client
from affect_pipeline.model.train import Trained, TrainPlan
from affect_pipeline.model.training_log import (
    calibration_chart,
    confusion,
    confusion_chart,
    corpus_digests,
    data_digest,
    emotion_chart,
    emotion_confusion,
    log_distillation,
    log_training,
)
from affect_pipeline.settings import Settings
from tests.model.registries import copy_registry, registry_template  # noqa: F401 - a fixture
from tests.model.voices import touch_wav

MOODS = ("neutral", "sad", "neutral", "sad", "neutral", "happy")
LOGITS = np.array([-1.0, 2.0, 1.0, 1.5, -2.0, np.nan])


def trained(folder: Path) -> Trained:
    path = touch_wav(folder / "session-of-anna.wav")
    rows = tuple(Recording(path, "acted", "en", f"anna-{i % 2}", mood) for i, mood in enumerate(MOODS))
    logits = np.stack([LOGITS, np.full(6, np.nan), np.full(6, np.nan)], 1)
    said = ("neutral", "sad", "sad", "sad", "neutral", None)
    return Trained(tiny_encoder(), logits, rows, fit_calibration(LOGITS, answers(rows, TASKS[0])), said)


def test_confusion_counts_the_recordings_that_were_scored(tmp_path: Path):
    assert confusion(trained(tmp_path), 0) == {"true_yes": 2, "false_no": 0, "false_yes": 1, "true_no": 2}


def test_the_chart_shows_every_bin(tmp_path: Path):
    known = trained(tmp_path)
    assert len(calibration_chart(known)["data"]["values"]) == len(known.calibration.reliability) > 0


def test_the_data_digest_notices_a_changed_label(tmp_path: Path):
    rows = list(trained(tmp_path).recordings)
    before = data_digest(rows)
    assert data_digest(rows) == before
    assert data_digest([*rows[:-1], rows[0]]) != before


def test_a_training_is_logged_without_names(settings: Settings, registry_template: Path, tmp_path: Path):  # noqa: F811
    known, home = trained(tmp_path), copy_registry(registry_template, settings)
    tiny_encoder().save(tmp_path / "model")
    rows = figures(known.recordings, known.logits, "ours", "speakers held out")
    run_id = log_training(home, known, TrainPlan(), rows, tmp_path / "model", {"total": [0.9, 0.7, 0.6]})
    with mlflow_client(home) as client:
        run = client.get_run(run_id)
        assert run.data.tags["model_digest"] == folder_digest(tmp_path / "model")
        assert run.data.params["heads.folds"] == "6"
        assert run.data.metrics["acted_depression.auc"] == figures(known.recordings, known.logits, "", "")[0].auc
        kept = {f.path for f in client.list_artifacts(run_id)}
        assert kept >= {"confusion.json", "confusion.vl.json", "calibration.json", "calibration.vl.json"}
        assert "data_digests.json" in kept
        assert {"emotion_confusion.json", "emotion_confusion.vl.json"} <= kept
        assert run.data.params["data_digest"] == data_digest(known.recordings)
        assert run.data.tags["code_version"]
        history = client.get_metric_history(run_id, "fine_tuning.total")
        assert {m.step: m.value for m in history} == {0: 0.9, 1: 0.7, 2: 0.6}
        said = json.dumps(run.to_dictionary())
    assert "anna" not in said


def test_the_confusion_chart_shows_how_often_each_emotion_was_said_yes_to(tmp_path: Path):
    cells = confusion_chart(trained(tmp_path))["data"]["values"]
    assert {(c["emotion"], c["question"]): (c["yes"], c["n"]) for c in cells} == {
        ("neutral", "depression"): (0.3333, 3), ("sad", "depression"): (1.0, 2),
    }  # fmt: skip


def test_the_emotion_matrix_counts_what_was_said_of_each_emotion(tmp_path: Path):
    known = trained(tmp_path)
    assert emotion_confusion(known) == {"neutral": {"neutral": 2, "sad": 1}, "sad": {"neutral": 0, "sad": 2}}
    cells = emotion_chart(known)["data"]["values"]
    assert {(c["emotion"], c["said"]): c["share"] for c in cells}["neutral", "sad"] == 0.3333


def test_every_corpus_has_a_digest_of_its_own(tmp_path: Path):
    rows = trained(tmp_path).recordings
    other = Recording(rows[0].path, "other", "en", "x", "sad")
    found = corpus_digests([*rows, other])
    assert {name: entry["recordings"] for name, entry in found.items()} == {"acted": 6, "other": 1}
    assert found["acted"]["digest"] == data_digest(rows) != found["other"]["digest"]


def test_a_distillation_logs_its_losses_from_where_it_went_on(
    settings: Settings,
    registry_template: Path,  # noqa: F811
    tmp_path: Path,
):
    home = copy_registry(registry_template, settings)
    tiny_encoder().save(tmp_path / "student")
    rows = trained(tmp_path).recordings
    losses = {"total": [3.0, 2.0], "prosody": [1.0, 0.5]}
    run_id = log_distillation(home, {"teacher": "loud", "steps": 12}, rows, tmp_path / "student", losses, 10)
    with mlflow_client(home) as client:
        run = client.get_run(run_id)
        assert run.data.params["teacher"] == "loud"
        assert run.data.tags["model_digest"] == folder_digest(tmp_path / "student")
        history = client.get_metric_history(run_id, "distillation.total")
        assert {m.step: m.value for m in history} == {10: 3.0, 11: 2.0}
        assert "anna" not in json.dumps(run.to_dictionary())
