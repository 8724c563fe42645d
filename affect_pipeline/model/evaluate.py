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
from affect_pipeline.model.train import (
    TrainPlan,
    choose,
    cross_validate,
    drop_labels,
    has_answer,
    heard_by_encoder,
    prosody_columns,
    to_windows,
)

Array = NDArray[np.float64]
CALM = ("neutral", "calm")
OFFICIAL = "official test part"


@dataclass(frozen=True)
class Figure:
    """One line of the table.

    Parameters
    ----------
    test, system, task : str
        Corpus, what was tested, which question.
    protocol : str
        ``speakers held out``, ``official test part`` of a corpus whose other parts taught, ``never trained on``,
        ``labels never used`` (its speech was heard without them), or one of
        `affect_pipeline.model.evaluate_transfer`.
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


def held_out_figures(recordings: Sequence[Recording], logits: Array) -> list[Figure]:
    """Return figures of cross-validated logits (n, 3), corpus by corpus."""
    rows = []
    for name in sorted({r.corpus for r in recordings}):
        mine = [i for i, r in enumerate(recordings) if r.corpus == name]
        rows += figures([recordings[i] for i in mine], logits[mine], "ours", "speakers held out")
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
    if clinical := taught_by_questionnaires(encoder):
        return _judge_clinical(encoder, corpora, clinical, work, done)
    return _judge(encoder, corpora, work, done)


def taught_by_questionnaires(encoder: AffectiveEncoder) -> set[str]:
    """Return the corpora whose questionnaires taught the depression head."""
    return encoder.affect.taught_by


def _judge_clinical(
    encoder: AffectiveEncoder,
    corpora: Sequence[Sequence[Recording]],
    clinical: set[str],
    work: Path | None,
    done: Callable[[], None] | None,
) -> list[Judged]:
    """Judge the depression head on official test parts only, and the other heads on the other corpora."""
    acted = _judge(encoder, [c for c in corpora if c[0].corpus not in clinical], work, done)
    for judged in acted:
        judged.logits[:, 0] = np.nan  # acted sadness is another question than the one that this head answers
    parts = [[r for r in c if r.split == "test" and has_answer(r)] for c in corpora if c[0].corpus in clinical]
    return acted + [_as_it_is(encoder, part, OFFICIAL, work, done) for part in parts if part]


def _judge(
    encoder: AffectiveEncoder,
    corpora: Sequence[Sequence[Recording]],
    work: Path | None,
    done: Callable[[], None] | None,
) -> list[Judged]:
    heard = encoder.affect.training.get("corpora", {})
    taught = [c for c in corpora if heard.get(c[0].corpus, {}).get("labelled")]
    others = [c for c in corpora if not heard.get(c[0].corpus, {}).get("labelled") and has_answers(c)]
    judged = [
        _as_it_is(encoder, c, "labels never used" if c[0].corpus in heard else "never trained on", work, done)
        for c in others
    ]
    official = [[r for r in corpus if r.split == "test" and has_answer(r)] for corpus in taught]
    judged += [_as_it_is(encoder, corpus, OFFICIAL, work, done) for corpus in official if corpus]
    if not taught:
        return judged
    plan = training_plan(encoder)
    # Speech without labels shapes the heads too: it is given again, without labels even if it has some.
    unlabelled = {c[0].corpus: drop_labels(c) for c in corpora if c[0].corpus in heard and c not in taught}
    taught += unlabelled.values()
    recordings = [r for corpus in taught for r in choose(corpus, plan)]
    embedded = embed(encoder, recordings, copies=plan.copies, seed=plan.seed, cache=work, done=done)
    windows = to_windows(embedded, recordings)
    logits, _, _ = cross_validate(embedded, recordings, windows, plan.heads, prosody_columns(encoder))
    # Speakers with whose labels the encoder was tuned are not held out, whatever the heads heard.
    logits[heard_by_encoder(encoder, recordings)] = np.nan
    for name in sorted(name for name, entry in heard.items() if entry["labelled"]):
        rows = [i for i, r in enumerate(recordings) if r.corpus == name]
        if rows:
            judged.append(Judged(tuple(recordings[i] for i in rows), logits[rows], "speakers held out"))
    return judged


def has_answers(corpus: Sequence[Recording]) -> bool:
    """Return whether any recording answers any of `TASKS`."""
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
        emotions = encoder.emotion_head(z) if encoder.emotion_head is not None else None
        per_window = encoder.logits(z, emotions).double().numpy()
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
