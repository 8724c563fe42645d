"""Training of heads on labelled corpora, with speaker-independent folds, into a model folder.

The encoder stays as distillation left it: no label of any speaker has touched it, so the folds are honest, and
what is trained fits on a laptop in minutes. Embeddings are kept in the work folder, so a run that was killed goes on.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from affect_pipeline.errors import CorpusError
from affect_pipeline.model.calibration import Calibration, fit_calibration
from affect_pipeline.model.corpora import EMOTIONS, Recording
from affect_pipeline.model.embed import Embedded, embed
from affect_pipeline.model.encoder import AffectiveEncoder
from affect_pipeline.model.heads import TASKS, HeadPlan, Heads, Windows, answers, fit_heads

Array = NDArray[np.float64]


@dataclass(frozen=True)
class TrainPlan:
    """Everything that decides the outcome of a training, beside the recordings."""

    heads: HeadPlan = field(default_factory=HeadPlan)
    copies: int = 2
    unlabelled_per_corpus: int = 300
    seed: int = 7


@dataclass(frozen=True)
class Trained:
    """A model with fitted heads and what was measured on the way.

    Parameters
    ----------
    encoder : AffectiveEncoder
        Ready to be saved.
    logits : ndarray, shape (n, 3)
        Cross-validated logits of the recordings, NaN for those without speech or labels.
    recordings : tuple of Recording
        The rows of `logits`.
    calibration : Calibration
        Of the depression logit, on the cross-validated logits.
    """

    encoder: AffectiveEncoder
    logits: Array
    recordings: tuple[Recording, ...]
    calibration: Calibration


def train(
    encoder: AffectiveEncoder,
    corpora: Sequence[Sequence[Recording]],
    plan: TrainPlan,
    work: Path | None = None,
    done: Callable[[], None] | None = None,
) -> Trained:
    """Fit heads on corpora.

    Parameters
    ----------
    encoder : AffectiveEncoder
        With a trained encoder; its heads are replaced.
    corpora : sequence of sequences of Recording
        Labelled ones teach; unlabelled ones say what should not matter.
    plan : TrainPlan
        How to train.
    work : Path, optional
        Folder that keeps embeddings between runs.
    done : callable, optional
        Called after each recording that was embedded.

    Raises
    ------
    CorpusError
        If no recording has a label that a head can learn from.
    """
    recordings = [r for corpus in corpora for r in choose(corpus, plan)]
    embedded = embed(encoder, recordings, copies=plan.copies, seed=plan.seed, cache=work, done=done)
    windows = to_windows(embedded, recordings)
    if np.isnan(windows.answers).all():
        raise CorpusError("no recording has an emotion or depression label that the heads can learn from")
    n_prosody = encoder.prosody.n_summaries if encoder.affect.use_prosody else 0
    heads = fit_heads(windows, plan.heads, n_prosody)
    logits, window_logits = cross_validate(embedded, recordings, windows, plan.heads, n_prosody)
    calibration = fit_calibration(logits[:, 0], answers(recordings, TASKS[0]))
    affect = replace(
        encoder.affect,
        emotions=heads.emotions,
        temperature=calibration.temperature,
        usual_sd=usual_spread(window_logits, embedded),
        training={**_encoder_training(encoder), **describe(recordings, plan)},
    )
    return Trained(with_heads(encoder, heads, affect), logits, tuple(recordings), calibration)


def choose(corpus: Sequence[Recording], plan: TrainPlan) -> list[Recording]:
    """Return a corpus' labelled recordings, or a seeded sample of it if it has none."""
    labelled = [r for r in corpus if not all(np.isnan(answers([r], task)[0]) for task in TASKS)]
    if labelled:
        return labelled
    rng = np.random.default_rng(plan.seed)
    n = min(plan.unlabelled_per_corpus, len(corpus))
    return [corpus[i] for i in sorted(rng.choice(len(corpus), n, replace=False))]


def drop_labels(corpus: Sequence[Recording]) -> list[Recording]:
    """Return recordings without their labels, for corpora whose labels are not to be learnt from."""
    return [replace(r, emotion=None, valence=None, arousal=None, phq8=None, depressed=None) for r in corpus]


def to_windows(embedded: Embedded, recordings: Sequence[Recording]) -> Windows:
    """Join embeddings with labels and speakers."""
    table = np.stack([answers(recordings, task) for task in TASKS], 1)
    emotion = np.array([EMOTIONS.index(r.emotion) if r.emotion else -1 for r in recordings], np.int64)
    group = np.array([f"{r.corpus}/{r.speaker}" for r in recordings])
    at = embedded.recording
    return Windows(embedded.raw, table[at], emotion[at], group[at], at, embedded.copy)


def folds(windows: Windows, plan: HeadPlan) -> NDArray[np.int64]:
    """Return the fold of each row; all rows of a speaker are in one."""
    names = np.unique(windows.group)
    order = np.random.default_rng(plan.seed).permutation(len(names))
    fold_of = dict(zip(names[order], np.arange(len(names)) % plan.folds, strict=True))
    return np.array([fold_of[name] for name in windows.group], np.int64)


def cross_validate(
    embedded: Embedded, recordings: Sequence[Recording], windows: Windows, plan: HeadPlan, n_prosody: int
) -> tuple[Array, Array]:
    """Return logits of heads that never heard the speaker: per recording (n, 3) and per window (W, 3).

    Copies of a test speaker's recordings are left out of fitting with the rest of that speaker.
    """
    fold = folds(windows, plan)
    per_window = np.full((len(fold), len(TASKS)), np.nan)
    for number in range(plan.folds):
        test = fold == number
        if test.any() and not test.all():
            heads: Heads = fit_heads(windows.where(~test), plan, n_prosody, with_emotions=False)
            per_window[test] = heads.logits(windows.raw[test])
    present, means = embedded.mean_by_recording(per_window)
    logits = np.full((len(recordings), len(TASKS)), np.nan)
    logits[present] = means
    return logits, per_window


def usual_spread(window_logits: Array, embedded: Embedded) -> dict[str, float]:
    """Return how far a window of full length lies from its recording, for each output.

    Single short recordings have no spread of their own, so it is taken from the difference between a recording and
    its augmented copies (the same voice in another room): too large rather than too small.
    """
    outputs = np.stack([window_logits[:, 0], np.tanh(window_logits[:, 1] / 2), np.tanh(window_logits[:, 2] / 2)], 1)
    present, clean = embedded.mean_by_recording(outputs)
    lookup = {int(r): i for i, r in enumerate(present)}
    rows = np.array([lookup.get(int(r), -1) for r in embedded.recording])
    changed = (embedded.copy > 0) & (rows >= 0)
    if not changed.any():
        return {"depression_logit": 1.0, "valence": 0.3, "arousal": 0.3}
    spread = np.sqrt(np.nanmean((outputs[changed] - clean[rows[changed]]) ** 2, axis=0))
    return {
        name: round(float(s), 4) for name, s in zip(("depression_logit", "valence", "arousal"), spread, strict=True)
    }


def with_heads(encoder: AffectiveEncoder, heads: Heads, affect: Any) -> AffectiveEncoder:
    """Return an encoder with the same body and these heads."""
    model = AffectiveEncoder(encoder.config, affect)
    model.wav2vec2.load_state_dict(encoder.wav2vec2.state_dict())
    with torch.no_grad():
        model.embedding_mean.copy_(torch.from_numpy(heads.mean))
        model.embedding_scale.copy_(torch.from_numpy(heads.scale))
        model.heads.weight.copy_(torch.from_numpy(heads.weights))
        model.heads.bias.copy_(torch.from_numpy(heads.bias))
        if model.emotion_head is not None:
            model.emotion_head.weight.copy_(torch.from_numpy(heads.emotion_weights))
            model.emotion_head.bias.copy_(torch.from_numpy(heads.emotion_bias))
    return model.eval().requires_grad_(False)


def _encoder_training(encoder: AffectiveEncoder) -> dict[str, Any]:
    return {name: value for name, value in encoder.affect.training.items() if name == "encoder"}


def describe(recordings: Sequence[Recording], plan: TrainPlan) -> dict[str, Any]:
    """Return what ``affect.json`` says about the training: corpora, counts, plan."""
    corpora: dict[str, dict[str, Any]] = {}
    for r in recordings:
        entry = corpora.setdefault(
            r.corpus, {"language": r.language, "recordings": 0, "labelled": 0, "speakers": set()}
        )
        entry["recordings"] += 1
        entry["labelled"] += any(not np.isnan(answers([r], task)[0]) for task in TASKS)
        entry["speakers"].add(r.speaker)
    for entry in corpora.values():
        entry["speakers"] = len(entry["speakers"])
    return {"corpora": corpora, "plan": asdict(plan)}
