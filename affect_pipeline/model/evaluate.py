"""Evaluation: how well a model tells acted moods apart in voices that its heads never heard.

Corpora that the heads were trained on are judged by cross-validation with the training's own plan, grouped by
speaker; any other corpus by the model as it is. Three figures each: over all recordings; within a speaker; and over
all recordings after each speaker's neutral baseline was subtracted, as deployment does.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from affect_pipeline.model.corpora import Recording
from affect_pipeline.model.embed import embed
from affect_pipeline.model.encoder import AffectiveEncoder
from affect_pipeline.model.heads import TASKS, HeadPlan, answers
from affect_pipeline.model.train import TrainPlan, choose, cross_validate, drop_labels, to_windows

Array = NDArray[np.float64]
CALM = ("neutral", "calm")


@dataclass(frozen=True)
class Figure:
    """One line of the table.

    Parameters
    ----------
    test, system, task : str
        Corpus, what was tested, which question.
    protocol : str
        ``speakers held out``, ``never trained on``, or ``labels never used`` (its speech was heard without them).
    auc : float
        Area under the ROC curve over all recordings.
    within : float
        Mean over speakers of the area within the speaker, neutral recordings of the baseline left out.
    personal : float
        Area over all recordings, after subtracting each speaker's mean over baseline recordings.
    n, n_speakers : int
        Recordings and speakers that count.
    """

    test: str
    system: str
    task: str
    protocol: str
    auc: float
    within: float
    personal: float
    n: int
    n_speakers: int


def auc(truth: Array, score: Array) -> float:
    """Return the area under the ROC curve by ranks, ties counted half; NaN if one class is missing."""
    from scipy.stats import rankdata

    known = ~np.isnan(truth) & ~np.isnan(score)
    y, ranks = truth[known], rankdata(score[known])
    n_yes, n_no = float(y.sum()), float((1 - y).sum())
    if not n_yes or not n_no:
        return float("nan")
    return float((ranks[y == 1].sum() - n_yes * (n_yes + 1) / 2) / (n_yes * n_no))


def figures(recordings: Sequence[Recording], logits: Array, system: str, protocol: str) -> list[Figure]:
    """Return a figure for each task that the recordings have answers to.

    Parameters
    ----------
    recordings : sequence of Recording
        Of one corpus.
    logits : ndarray, shape (n, 3)
        In the order of `TASKS`; NaN for recordings that could not be scored.
    system, protocol : str
        Words of the table.
    """
    speakers = np.array([r.speaker for r in recordings])
    baseline = neutral_baseline(recordings)
    rows = []
    for index, task in enumerate(TASKS):
        truth, score = answers(recordings, task), logits[:, index]
        known = ~np.isnan(truth) & ~np.isnan(score)
        if len(np.unique(truth[known])) < 2:
            continue
        within, shifted = _personal(truth, score, speakers, baseline)
        rows.append(
            Figure(
                recordings[0].corpus,
                system,
                task.name,
                protocol,
                auc(truth, score),
                within,
                auc(truth, shifted),
                int(known.sum()),
                len(set(speakers[known])),
            )
        )
    return rows


def neutral_baseline(recordings: Sequence[Recording]) -> NDArray[np.bool_]:
    """Return which recordings stand for their speaker's baseline: every second neutral (or calm) one."""
    chosen = np.zeros(len(recordings), bool)
    seen: dict[str, int] = {}
    for index, recording in enumerate(recordings):
        if recording.emotion in CALM:
            seen[recording.speaker] = seen.get(recording.speaker, 0) + 1
            chosen[index] = seen[recording.speaker] % 2 == 1
    return chosen


def _personal(
    truth: Array, score: Array, speakers: NDArray[np.str_], baseline: NDArray[np.bool_]
) -> tuple[float, Array]:
    within, shifted = [], np.full(len(score), np.nan)
    for speaker in np.unique(speakers):
        mine = speakers == speaker
        reference = mine & baseline & ~np.isnan(score)
        if reference.any():
            judged = mine & ~baseline
            shifted[judged] = score[judged] - score[reference].mean()
            within.append(auc(truth[judged], score[judged]))
    inside = [value for value in within if not np.isnan(value)]
    return (float(np.mean(inside)) if inside else float("nan")), shifted


def by_sex(recordings: Sequence[Recording], logits: Array, system: str) -> dict[str, float]:
    """Return areas by corpus, task and sex, where the corpus tells."""
    found = {}
    for sex in ("f", "m"):
        mine = [i for i, r in enumerate(recordings) if r.sex == sex]
        for figure in figures([recordings[i] for i in mine], logits[mine], system, "") if mine else []:
            found[f"{figure.test}.{figure.task}.{sex}"] = round(figure.auc, 4)
    return found


@dataclass(frozen=True)
class Judged:
    """Logits of one corpus' recordings, shape (n, 3), and how they came about."""

    recordings: tuple[Recording, ...]
    logits: Array
    protocol: str


def judge(
    encoder: AffectiveEncoder,
    corpora: Sequence[Sequence[Recording]],
    work: Path | None = None,
    done: Callable[[], None] | None = None,
) -> list[Judged]:
    """Return logits of the labelled corpora, from speakers that the heads did not hear."""
    heard = encoder.affect.training.get("corpora", {})
    taught = [c for c in corpora if heard.get(c[0].corpus, {}).get("labelled")]
    others = [c for c in corpora if not heard.get(c[0].corpus, {}).get("labelled") and _has_answers(c)]
    judged = [
        _as_it_is(encoder, c, "labels never used" if c[0].corpus in heard else "never trained on", work, done)
        for c in others
    ]
    if not taught:
        return judged
    plan = training_plan(encoder)
    # Speech without labels shapes the heads too: it is given again, without labels even if it has some.
    unlabelled = {c[0].corpus: drop_labels(c) for c in corpora if c[0].corpus in heard and c not in taught}
    taught += unlabelled.values()
    recordings = [r for corpus in taught for r in choose(corpus, plan)]
    embedded = embed(encoder, recordings, copies=plan.copies, seed=plan.seed, cache=work, done=done)
    n_prosody = encoder.prosody.n_summaries if encoder.affect.use_prosody else 0
    windows = to_windows(embedded, recordings)
    logits, _ = cross_validate(embedded, recordings, windows, plan.heads, n_prosody)
    for name in sorted(name for name, entry in heard.items() if entry["labelled"]):
        rows = [i for i, r in enumerate(recordings) if r.corpus == name]
        if rows:
            judged.append(Judged(tuple(recordings[i] for i in rows), logits[rows], "speakers held out"))
    return judged


def _has_answers(corpus: Sequence[Recording]) -> bool:
    return any(not np.isnan(answers(corpus, task)).all() for task in TASKS)


def _as_it_is(
    encoder: AffectiveEncoder,
    corpus: Sequence[Recording],
    protocol: str,
    work: Path | None,
    done: Callable[[], None] | None,
) -> Judged:
    import torch

    embedded = embed(encoder, corpus, cache=work, done=done)
    with torch.inference_mode():
        z = encoder.standardise(torch.from_numpy(embedded.raw))
        per_window = encoder.heads(z).double().numpy()
    present, means = embedded.mean_by_recording(per_window)
    logits = np.full((len(corpus), len(TASKS)), np.nan)
    logits[present] = means
    return Judged(tuple(corpus), logits, protocol)


def training_plan(encoder: AffectiveEncoder) -> TrainPlan:
    """Return the plan that the model's heads were trained with."""
    written = dict(encoder.affect.training.get("plan", {}))
    if not written:
        return TrainPlan()
    return TrainPlan(**{**written, "heads": HeadPlan(**written["heads"])})


def as_json(rows: Sequence[Figure]) -> list[dict[str, object]]:
    """Return figures as plain values, rounded to four digits."""
    return [{k: round(v, 4) if isinstance(v, float) else v for k, v in asdict(row).items()} for row in rows]
