"""The whole evaluation of a model: figures beside references, calibration, honesty of errors, cost."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from rich.table import Table

from affect_pipeline.model.calibration import Calibration, fit_calibration, reliability, sigmoid
from affect_pipeline.model.corpora import Recording
from affect_pipeline.model.depression.figures import LABELS, ParticipantFigures, gate_of
from affect_pipeline.model.depression.judge import judge_folder
from affect_pipeline.model.encoder import AffectiveEncoder, folder_digest
from affect_pipeline.model.evaluate import (
    OFFICIAL,
    Figure,
    Judged,
    as_json,
    figures,
    judge,
    taught_by_questionnaires,
)
from affect_pipeline.model.evaluate_groups import GroupFigure, group_figures, sort_groups
from affect_pipeline.model.evaluate_references import describe_all, egemaps, pooled_teacher, reference_figures
from affect_pipeline.model.evaluate_runtime import Cost, coverage, measure_cost
from affect_pipeline.model.evaluate_transfer import BY_CORPUS, BY_LANGUAGE, judge_transfer
from affect_pipeline.model.heads import TASKS, answers
from affect_pipeline.model.lifecycle import TAUGHT_BY
from affect_pipeline.model.summary import finite
from affect_pipeline.model.teacher import load_teacher
from affect_pipeline.model.train import drop_labels

EGEMAPS, TEACHER, OURS = "eGeMAPS + logistic", "teacher + logistic", "ours"
PROTOCOLS = ("speakers held out", OFFICIAL, "never trained on", "labels never used", BY_CORPUS, BY_LANGUAGE)
"""In the order of the table."""


@dataclass(frozen=True)
class Request:
    """What to evaluate: a model folder, labelled corpora, unlabelled ones of its training, and references."""

    folder: Path
    corpora: Sequence[Sequence[Recording]]
    unlabelled: Sequence[Sequence[Recording]] = ()
    references: bool = True
    teacher: Path | None = None
    work: Path | None = None
    timed_journals: int = 8


@dataclass(frozen=True)
class Report:
    """Everything that `evaluate_model` found."""

    digest: str
    figures: tuple[Figure, ...]
    calibration: dict[str, Calibration]
    by_group: tuple[GroupFigure, ...]
    coverage: dict[str, dict[str, float]]
    unscored: dict[str, int]
    cost: Cost
    participants: tuple[ParticipantFigures, ...] = ()

    def gate(self) -> dict[str, float]:
        """Return the numbers that a successor has to reach, the higher the better.

        ``<corpus>.<question>``: the area over all recordings of every labelled corpus whose speakers the heads did not
        hear, whether the corpus taught others of its speakers or nobody, so no single corpus decides.
        """
        counted = ("speakers held out", "never trained on")  # one figure a corpus and question
        ours = [f for f in self.figures if f.system == OURS and f.protocol in counted]
        return {f"{f.test}.{f.task}": round(f.auc, 4) for f in ours} | gate_of(self.participants)

    def facts(self) -> dict[str, str]:
        """Return what is not in the table, as words."""
        said = {
            f"calibration on {name}": f"ECE {c.ece_after:.3f} ({c.ece_before:.3f} with temperature 1)"
            for name, c in self.calibration.items()
        }
        said |= {f"pairs within 1.96 errors, {name}": str(shares) for name, shares in self.coverage.items()}
        said |= {f"without speech in {name}": str(n) for name, n in self.unscored.items() if n}
        cost = self.cost
        said["size"] = f"{cost.size_mb} MB, {cost.n_parameters / 1e6:.1f} M parameters"
        said["load time"] = f"{cost.load_s} s"
        said["real-time factor, 30 s journals"] = str(cost.real_time_factor)
        return said

    def as_json(self) -> dict[str, Any]:
        """Return the content of ``evaluation.json``: numbers that are not there are null, JSON has no word for NaN."""
        content = {
            "digest": self.digest,
            "gate": self.gate(),
            "figures": as_json(self.figures),
            "calibration": {name: asdict(value) for name, value in self.calibration.items()},
            "by_group": [group.as_json() for group in self.by_group],
            "coverage": self.coverage,
            "unscored": self.unscored,
            "cost": asdict(self.cost),
        }
        if self.participants:
            content |= {TAUGHT_BY: LABELS, "participants": [row.as_json() for row in self.participants]}
        return dict(finite(content))


def evaluate_model(asked: Request, done: Callable[[], None] | None = None) -> Report:
    """Evaluate a model folder.

    Parameters
    ----------
    asked : Request
        What, on what.
    done : callable, optional
        Called after each recording.
    """
    encoder = AffectiveEncoder.load(asked.folder)
    cost = measure_cost(asked.folder, asked.timed_journals)
    corpora = [*asked.corpora, *(drop_labels(corpus) for corpus in asked.unlabelled)]
    judged = judge(encoder, corpora, asked.work, done)
    clinical = taught_by_questionnaires(encoder)
    interviews = [r for corpus in corpora if corpus[0].corpus in clinical for r in corpus]
    acted = [corpus for corpus in corpora if corpus[0].corpus not in clinical]
    transferred = judge_transfer(encoder, acted, asked.work, done)
    rows = [f for j in (*judged, *transferred) for f in figures(j.recordings, j.logits, OURS, j.protocol)]
    if asked.references:
        rows += _references(asked, judged, done)
    return Report(
        digest=folder_digest(asked.folder),
        figures=tuple(sorted(rows, key=lambda f: (PROTOCOLS.index(f.protocol), f.test, f.task, f.system))),
        calibration=_calibration(judged, encoder.affect.temperature),
        by_group=sort_groups([group for j in judged for group in group_figures(j, OURS)]),
        coverage={j.recordings[0].corpus: coverage(asked.folder, j.recordings) for j in judged},
        unscored={j.recordings[0].corpus: int(np.isnan(j.logits).all(1).sum()) for j in judged},
        cost=cost,
        participants=tuple(judge_folder(asked.folder, interviews, asked.work)) if interviews else (),
    )


def _references(asked: Request, judged: Sequence[Judged], done: Callable[[], None] | None) -> list[Figure]:
    taught = [j.recordings for j in judged if j.protocol == "speakers held out"]
    unseen = [j.recordings for j in judged if j.protocol == "never trained on"]
    if not taught:
        return []
    systems = {EGEMAPS: egemaps()}
    if asked.teacher is not None:
        systems[TEACHER] = pooled_teacher(load_teacher(asked.teacher))
    cache = asked.work / "references" if asked.work else None
    rows = []
    for system, describe in systems.items():
        features = partial(describe_all, describe=describe, name=system, cache=cache, done=done)
        rows += reference_figures(system, taught, unseen, features)
    return rows


def _calibration(judged: Sequence[Judged], temperature: float) -> dict[str, Calibration]:
    found = {}
    for j in judged:
        truth, logits = answers(j.recordings, TASKS[0]), j.logits[:, 0]
        known = ~np.isnan(truth) & ~np.isnan(logits)
        if len(np.unique(truth[known])) == 2:
            y, x = truth[known], logits[known]
            weights = np.where(y == 1, 0.5 / y.sum(), 0.5 / (1 - y).sum())
            before, _ = reliability(sigmoid(x), y, weights)
            after, bins = reliability(sigmoid(x / temperature), y, weights)
            best = fit_calibration(logits, truth).temperature
            name = f"{j.recordings[0].corpus} (temperature {temperature}; {best} would be best)"
            found[name] = Calibration(temperature, round(before, 4), round(after, 4), bins)
    return found


def figure_table(rows: Sequence[Any]) -> Table:
    """Return figures as a table for the terminal."""
    table = Table(title="Area under the ROC curve")
    for column in ("test", "question", "system", "protocol"):
        table.add_column(column)
    for column in ("raw", "within speaker", "personal baseline", "recordings", "speakers"):
        table.add_column(column, justify="right")
    for f in rows:
        numbers = ("-" if math.isnan(v) else f"{v:.3f}" for v in (f.auc, f.within, f.personal))
        table.add_row(f.test, f.task, f.system, f.protocol, *numbers, str(f.n), str(f.n_speakers))
    return table


def group_table(rows: Sequence[GroupFigure]) -> Table:
    """Return figures by sex, age band and language as a table for the terminal."""
    table = Table(title="By group")
    for column in ("by", "group", "test", "question", "protocol"):
        table.add_column(column)
    for column in ("raw", "within speaker", "recordings", "speakers"):
        table.add_column(column, justify="right")
    for row in rows:
        f = row.figure
        numbers = ("-" if math.isnan(v) else f"{v:.3f}" for v in (f.auc, f.within))
        table.add_row(row.by, row.group, f.test, f.task, f.protocol, *numbers, str(f.n), str(f.n_speakers))
    return table
