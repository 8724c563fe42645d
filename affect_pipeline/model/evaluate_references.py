"""References beside which a model is judged: eGeMAPS features, and the teacher's own frames, under a logistic head.

openSMILE is a tool of development: its licence keeps it out of the product.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from affect_pipeline.errors import CorpusError
from affect_pipeline.model.corpora import Recording
from affect_pipeline.model.evaluate import Figure, figures
from affect_pipeline.model.features import read_audio
from affect_pipeline.model.heads import TASKS, answers
from affect_pipeline.model.teacher import Teacher, last_frames

Array = NDArray[np.float64]
Describe = Callable[[NDArray[np.float32]], NDArray[np.float32]]
INVERSE_PENALTY = {"eGeMAPS + logistic": 1.0, "teacher + logistic": 0.01}
FOLDS = 6


def egemaps() -> Describe:
    """Return the 88 functionals of eGeMAPSv02 as a function of audio at 16 kHz."""
    try:
        import opensmile
    except ImportError as error:
        raise CorpusError("the eGeMAPS reference needs openSMILE: pip install opensmile") from error
    smile = opensmile.Smile(opensmile.FeatureSet.eGeMAPSv02, opensmile.FeatureLevel.Functionals)

    def describe(samples: NDArray[np.float32]) -> NDArray[np.float32]:
        return np.asarray(smile.process_signal(samples, 16_000).to_numpy()[0], np.float32)

    return describe


def pooled_teacher(teacher: Teacher) -> Describe:
    """Return mean and spread of the frames of a teacher's last layer as a function of audio at 16 kHz."""

    def describe(samples: NDArray[np.float32]) -> NDArray[np.float32]:
        frames = last_frames(teacher, samples)
        return np.concatenate([frames.mean(0), frames.std(0)])

    return describe


def describe_all(
    recordings: Sequence[Recording], describe: Describe, name: str, cache: Path | None, done: Callable[[], None] | None
) -> Array:
    """Return features of recordings (n, D), keeping them in a folder."""
    rows = []
    for recording in recordings:
        key = hashlib.sha256(recording.path.read_bytes() + name.encode()).hexdigest()[:32]
        kept = cache / f"{key}.npy" if cache else None
        if kept is not None and kept.exists():
            row = np.load(kept, allow_pickle=False)
        else:
            row = describe(read_audio(recording.path))
            if kept is not None:
                kept.parent.mkdir(parents=True, exist_ok=True)
                np.save(kept, row, allow_pickle=False)
        rows.append(row)
        if done is not None:
            done()
    return np.nan_to_num(np.stack(rows).astype(np.float64))


def reference_figures(
    system: str,
    taught: Sequence[Sequence[Recording]],
    unseen: Sequence[Sequence[Recording]],
    features: Callable[[Sequence[Recording]], Array],
) -> list[Figure]:
    """Return figures of a logistic head on features: folds by speaker where taught, as it is elsewhere."""
    known = [(corpus, features(corpus)) for corpus in taught]
    x = np.concatenate([values for _, values in known])
    recordings = [r for corpus, _ in known for r in corpus]
    speakers = np.array([f"{r.corpus}/{r.speaker}" for r in recordings])
    folds = _folds(speakers)
    held_out = np.full((len(recordings), len(TASKS)), np.nan)
    for number in range(FOLDS):
        test = folds == number
        if test.any():
            held_out[test] = _fit(x[~test], [r for r, t in zip(recordings, test, strict=True) if not t], system)(
                x[test]
            )
    rows, start = [], 0
    for corpus, values in known:
        rows += figures(corpus, held_out[start : start + len(values)], system, "speakers held out")
        start += len(values)
    predict = _fit(x, recordings, system)
    for corpus in unseen:
        rows += figures(corpus, predict(features(corpus)), system, "never trained on")
    return rows


def _folds(speakers: NDArray[np.str_]) -> NDArray[np.int64]:
    names = np.unique(speakers)
    order = np.random.default_rng(7).permutation(len(names))
    fold_of = dict(zip(names[order], np.arange(len(names)) % FOLDS, strict=True))
    return np.array([fold_of[name] for name in speakers], np.int64)


def _fit(x: Array, recordings: Sequence[Recording], system: str) -> Callable[[Array], Array]:
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    models: list[Any] = []
    for task in TASKS:
        truth = answers(recordings, task)
        known = ~np.isnan(truth)
        head = LogisticRegression(C=INVERSE_PENALTY.get(system, 0.1), max_iter=1000, class_weight="balanced")
        able = len(np.unique(truth[known])) == 2
        models.append(make_pipeline(StandardScaler(), head).fit(x[known], truth[known]) if able else None)

    def predict(values: Array) -> Array:
        nothing = np.full(len(values), np.nan)
        return np.stack([nothing if m is None else m.decision_function(values) for m in models], 1)

    return predict
