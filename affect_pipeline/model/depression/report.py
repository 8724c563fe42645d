"""What is told of a training on interviews: the table, ``evaluation.json``, a run in MLflow."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from rich.table import Table

from affect_pipeline.files import write_json
from affect_pipeline.model.depression.figures import LABELS, METRICS, Interval, ParticipantFigures, gate_of
from affect_pipeline.model.depression.participants import VOICE
from affect_pipeline.model.depression.train import DepressionTrained
from affect_pipeline.model.encoder import METRICS_FILE, folder_digest, read_metrics
from affect_pipeline.model.lifecycle import TAUGHT_BY
from affect_pipeline.model.summary import finite
from affect_pipeline.model.tracking import experiment_id, mlflow_client
from affect_pipeline.model.training_log import (
    EXPERIMENT,
    calibration_chart,
    code_version,
    corpus_digests,
    data_digest,
    flat_texts,
    log_curve,
)
from affect_pipeline.settings import Settings


def participant_table(rows: Sequence[ParticipantFigures]) -> Table:
    """Return figures of participants as a table for the terminal, with what each subset gains over the voice."""
    table = Table(title="Participants, with 95 % intervals (bootstrap over participants)")
    for column in ("corpus", "part", "modalities", "n (depressed)", *METRICS, "gain in auc"):
        table.add_column(column)
    for row in rows:
        gain = row.gains.get("auc")
        table.add_row(
            row.corpus, row.split, row.system, f"{row.n} ({row.n_depressed})",
            *(str(row.figures[name]) for name in METRICS), "" if gain is None else _signed(gain),
        )  # fmt: skip
    return table


def write_evaluation(base: Path, target: Path, trained: DepressionTrained) -> dict[str, Any]:
    """Write ``evaluation.json`` of a trained folder, and return its content.

    Valence and arousal are heard by the very weights of the model that was tuned, so what was measured of them on it
    holds; everything on its depression head is left out, and figures of participants stand in its place.

    Parameters
    ----------
    base : Path
        The model whose other heads were kept.
    target : Path
        The saved model.
    trained : DepressionTrained
        What came out.
    """
    before = read_metrics(base)
    content: dict[str, Any] = {
        "digest": folder_digest(target),
        TAUGHT_BY: LABELS,
        "gate": {n: v for n, v in before.get("gate", {}).items() if not n.endswith(".depression")},
        "figures": [f for f in before.get("figures", []) if f["task"] != "depression"],
        "by_group": [f for f in before.get("by_group", []) if f["task"] != "depression"],
        "participants": [row.as_json() for row in trained.figures],
        "calibration": {f"{_corpora(trained)}, participants that the head did not hear": asdict(trained.calibration)},
    }
    if before:
        content["kept_from"] = before.get("digest")
        content["cost"] = before.get("cost", {})
    content["gate"] |= gate_of(trained.figures)
    write_json(finite(content), target / METRICS_FILE)
    return content


def log_depression(settings: Settings, trained: DepressionTrained, folder: Path) -> str:
    """Log a training on interviews as one MLflow run and return the run's id; no participant is named.

    Parameters
    ----------
    settings : Settings
        The installation.
    trained : DepressionTrained
        What came out.
    folder : Path
        The saved model.
    """
    about = trained.encoder.affect.training["depression"]
    with mlflow_client(settings) as client:
        run_id = str(client.create_run(experiment_id(settings, client, EXPERIMENT)).info.run_id)
        known = {"task": "depression", "labels": "PHQ-8", "data_digest": data_digest(trained.recordings)}
        for name, value in {**flat_texts(asdict(trained.plan)), **flat_texts(about["chosen"]), **known}.items():
            client.log_param(run_id, name, value)
        for name, number in figure_metrics(trained).items():
            client.log_metric(run_id, name, number)
        for name, fitted in trained.fitted.items():
            log_curve(client, run_id, fitted.losses, f"penalty.{name}")
        client.set_tag(run_id, "model_digest", folder_digest(folder))
        client.set_tag(run_id, "code_version", code_version())
        figures = finite([row.as_json() for row in trained.figures])
        client.log_text(run_id, json.dumps(figures, indent=1), "participants.json")
        client.log_dict(run_id, confusion(trained), "confusion.json")
        client.log_dict(run_id, corpus_digests(trained.recordings), "data_digests.json")
        client.log_dict(run_id, asdict(trained.calibration), "calibration.json")
        client.log_text(run_id, json.dumps(calibration_chart(trained)), "calibration.vl.json")
        client.set_terminated(run_id)
    return run_id


def figure_metrics(trained: DepressionTrained) -> dict[str, float]:
    """Return the numbers of a training, named by corpus, part, modalities and figure."""
    found: dict[str, float] = {}
    for row in trained.figures:
        name = f"{row.corpus}.{row.split}.{row.system.replace(' + ', '_')}"
        for metric, interval in row.figures.items():
            ends = {metric: interval.value, f"{metric}_low": interval.low, f"{metric}_high": interval.high}
            found |= {f"{name}.{end}": value for end, value in ends.items() if not math.isnan(value)}
        found |= {f"{name}.{m}_gain": i.value for m, i in row.gains.items() if not math.isnan(i.value)}
    return {"".join(c if c.isalnum() or c in "_-. /" else "_" for c in n): value for n, value in found.items()}


def confusion(trained: DepressionTrained) -> dict[str, int]:
    """Return the confusion matrix of the voice at even odds, of participants that its head did not hear."""
    logit = trained.fitted[VOICE].logit
    known = ~np.isnan(logit)
    yes, said = trained.depressed[known] == 1, logit[known] > 0
    counts = {"true_yes": yes & said, "false_no": yes & ~said, "false_yes": ~yes & said, "true_no": ~yes & ~said}
    return {name: int(np.sum(chosen)) for name, chosen in counts.items()}


def _corpora(trained: DepressionTrained) -> str:
    return " and ".join(sorted(trained.encoder.affect.training["depression"]["corpora"]))


def _signed(interval: Interval) -> str:
    if math.isnan(interval.value):
        return "-"
    return f"{interval.value:+.2f} [{interval.low:+.2f}, {interval.high:+.2f}]"
