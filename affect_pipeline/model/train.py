"""Training of heads on labelled corpora, with speaker-independent folds, into a model folder.

The encoder stays as it is: after distillation no label of any speaker has touched it, so the folds are honest, and
what is trained fits on a laptop in minutes. After `affect_pipeline.model.fine_tune` only the speakers that it never met
are judged. Embeddings are kept in the work folder, so a run that was killed goes on.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from affect_pipeline.errors import CorpusError
from affect_pipeline.model.calibration import Calibration, fit_calibration
from affect_pipeline.model.corpora import EMOTIONS, TESTING_ONLY, Recording
from affect_pipeline.model.embed import Embedded, embed
from affect_pipeline.model.encoder import AffectConfig, AffectiveEncoder
from affect_pipeline.model.heads import TASKS, HeadPlan, Heads, Windows, answers, fit_heads

Array = NDArray[np.float64]


@dataclass(frozen=True)
class TrainPlan:
    """Everything that decides the outcome of a training, beside the recordings.

    Parameters
    ----------
    heads : HeadPlan
        How heads are fitted.
    copies : int
        Augmented copies of each recording.
    unlabelled_per_corpus : int
        How many recordings of a corpus without labels are drawn.
    seed : int
        Of augmentation and draws.
    at_most : dict of str to int
        How many labelled recordings are drawn of a corpus, see `at_most`; all of those that are not named.
    """

    heads: HeadPlan = field(default_factory=HeadPlan)
    copies: int = 2
    unlabelled_per_corpus: int = 300
    seed: int = 7
    at_most: dict[str, int] = field(default_factory=dict)


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
    emotions_said : tuple of (str or None)
        The emotion that heads which never heard the speaker said of each recording; empty if nobody taught emotions.
    """

    encoder: AffectiveEncoder
    logits: Array
    recordings: tuple[Recording, ...]
    calibration: Calibration
    emotions_said: tuple[str | None, ...] = ()


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
    if taught := sorted({r.corpus for r in recordings if r.corpus in TESTING_ONLY and has_answer(r)}):
        raise CorpusError(f"{', '.join(taught)} is for testing only: give it to `affect model evaluate`")
    if np.isnan(windows.answers).all():
        raise CorpusError("no recording has an emotion or depression label that the heads can learn from")
    n_prosody = prosody_columns(encoder)
    heads = fit_heads(windows, plan.heads, n_prosody)
    logits, window_logits, said = cross_validate(embedded, recordings, windows, plan.heads, n_prosody)
    heard = heard_by_encoder(encoder, recordings)
    logits[heard], window_logits[heard[embedded.recording]] = np.nan, np.nan
    calibration = fit_calibration(logits[:, 0], answers(recordings, TASKS[0]))
    affect = replace(
        encoder.affect,
        phq8_head=False,
        depression_meaning=AffectConfig().depression_meaning,
        emotions=heads.words.names if heads.words else (),
        wordings=heads.wordings,
        temperature=calibration.temperature,
        usual_sd=usual_spread(window_logits, embedded),
        training={**_encoder_training(encoder), **describe(recordings, plan)},
    )
    words = tuple(None if heard[i] else said.get(i) for i in range(len(recordings))) if said else ()
    return Trained(with_heads(encoder, heads, affect), logits, tuple(recordings), calibration, words)


def choose(corpus: Sequence[Recording], plan: TrainPlan) -> list[Recording]:
    """Return a corpus' labelled recordings, or a seeded sample of it if it has none."""
    labelled = [r for r in corpus if has_answer(r)]
    if labelled:
        teaching = [r for r in labelled if r.split != "test"]  # an official test part teaches nobody
        return at_most(teaching, plan.at_most.get(corpus[0].corpus, len(teaching)), plan.seed)
    rng = np.random.default_rng(plan.seed)
    n = min(plan.unlabelled_per_corpus, len(corpus))
    return [corpus[i] for i in sorted(rng.choice(len(corpus), n, replace=False))]


def at_most(recordings: Sequence[Recording], n: int, seed: int) -> list[Recording]:
    """Return `n` recordings drawn by a seed, in the order of the list; all if it has no more.

    The heads that come with the package learned from 600 recordings of EmoSpeech, drawn so with the seed 7.
    """
    order = list(range(len(recordings)))
    random.Random(seed).shuffle(order)  # noqa: S311 - a draw, no secret
    return [recordings[i] for i in sorted(order[:n])]


def drop_labels(corpus: Sequence[Recording]) -> list[Recording]:
    """Return recordings without their labels, for corpora whose labels are not to be learnt from."""
    return [replace(r, emotion=None, valence=None, arousal=None, phq8=None, depressed=None) for r in corpus]


def has_answer(recording: Recording) -> bool:
    """Return whether a recording answers any of `TASKS`."""
    return any(not np.isnan(answers([recording], task)[0]) for task in TASKS)


def prosody_columns(encoder: AffectiveEncoder) -> int:
    """Return how many of the last columns of an embedding are measured prosody."""
    return encoder.prosody.n_summaries if encoder.affect.use_prosody else 0


def speaker_key(recording: Recording) -> str:
    """Return a name for a speaker that a model may carry: not the corpus' own, which may be a patient's."""
    return hashlib.sha256(f"{recording.corpus}/{recording.speaker}".encode()).hexdigest()[:16]


def fine_tuned_on(encoder: AffectiveEncoder) -> dict[str, list[str]]:
    """Return the corpora with whose labels the encoder itself was tuned, and keys of the speakers it never met."""
    return dict(encoder.affect.training.get("fine_tuning", {}).get("held_out", {}))


def heard_by_encoder(encoder: AffectiveEncoder, recordings: Sequence[Recording]) -> NDArray[np.bool_]:
    """Return which recordings are of speakers with whose labels the encoder itself was tuned, shape (n,)."""
    spared = fine_tuned_on(encoder)
    return np.array([r.corpus in spared and speaker_key(r) not in spared[r.corpus] for r in recordings], np.bool_)


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
) -> tuple[Array, Array, dict[int, str]]:
    """Judge recordings by heads that never heard the speaker.

    Copies of a test speaker's recordings are left out of fitting with the rest of that speaker.

    Returns
    -------
    tuple
        Logits per recording (n, 3) and per window (W, 3), and the likeliest emotion of recordings by their number.
    """
    fold = folds(windows, plan)
    per_window, chances = np.full((len(fold), len(TASKS)), np.nan), np.full((len(fold), len(EMOTIONS)), np.nan)
    for number in range(plan.folds):
        test = fold == number
        if test.any() and not test.all():
            heads: Heads = fit_heads(windows.where(~test), plan, n_prosody)
            per_window[test], chances[test] = heads.logits(windows.raw[test]), heads.chances(windows.raw[test])
    present, means = embedded.mean_by_recording(per_window)
    logits = np.full((len(recordings), len(TASKS)), np.nan)
    logits[present] = means
    present, means = embedded.mean_by_recording(chances)
    said = {int(i): EMOTIONS[int(np.argmax(m))] for i, m in zip(present, means, strict=True) if not np.isnan(m).any()}
    return logits, per_window, said


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
        if model.emotion_head is not None and heads.words is not None:
            model.emotion_head.weight.copy_(torch.from_numpy(heads.words.weights))
            model.emotion_head.bias.copy_(torch.from_numpy(heads.words.bias))
    return model.eval().requires_grad_(False)


def _encoder_training(encoder: AffectiveEncoder) -> dict[str, Any]:
    return {name: value for name, value in encoder.affect.training.items() if name in ("encoder", "fine_tuning")}


def describe(recordings: Sequence[Recording], plan: TrainPlan) -> dict[str, Any]:
    """Return what ``affect.json`` says about the training: corpora, counts, plan."""
    corpora: dict[str, dict[str, Any]] = {}
    for r in recordings:
        entry = corpora.setdefault(
            r.corpus, {"language": r.language, "recordings": 0, "labelled": 0, "speakers": set()}
        )
        entry["recordings"] += 1
        entry["labelled"] += has_answer(r)
        entry["speakers"].add(r.speaker)
    for entry in corpora.values():
        entry["speakers"] = len(entry["speakers"])
    return {"corpora": corpora, "plan": asdict(plan)}
