"""Linear heads on embeddings: what they are asked, and how they are fitted to hold on voices never heard.

Labelled speech is little and acted, so heads are linear, and each is the sum of two that were fitted apart: one on
the encoder's pooled states, one on measured prosody. Fitted together, the many states win where they know the corpus;
apart, prosody keeps its say where the language is new. What states say about valence and arousal goes through emotion
words where the recordings have them: anger and joy are both aroused but sound apart, and one direction cannot point
at both, while the log-odds of some words against others can (a softmax regression over the words).

Directions that differ between recordings for other reasons (words, voices, rooms) can be learnt from unlabelled speech
and augmented copies, and shrunk before fitting (within-class covariance normalisation, Hatch et al. 2006, made soft:
``(I + strength * N) ** -1/2``).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from affect_pipeline.model.corpora import EMOTIONS, Recording
from affect_pipeline.model.encoder import EMBEDDING_LIMIT, HEADS, Wording

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Task:
    """A question with two answers, put to emotion labels."""

    name: str
    yes: tuple[str, ...]
    no: tuple[str, ...]


TASKS = (
    Task("depression", ("sad",), ("neutral", "calm")),
    Task("valence", ("happy",), ("angry", "sad", "fearful", "disgust")),
    Task("arousal", ("angry", "happy", "fearful", "surprised"), ("neutral", "calm", "sad")),
)
"""In the order of the encoder's heads."""

IN_WORDS = ("valence", "arousal")
"""Tasks that go through emotion words. Depression does not: its acted classes are three words of which calm counts
less, and a head of its own held better on a corpus never heard."""
assert tuple(task.name for task in TASKS) == HEADS


@dataclass(frozen=True)
class HeadPlan:
    """How heads are fitted.

    Parameters
    ----------
    inverse_penalty, prosody_inverse_penalty, words_inverse_penalty : float
        C of the logistic regressions on states and on prosody, and of that over emotion words.
    prosody_share : float
        Weight of prosody in the sum of the two, whose logits have the same spread over the training recordings.
    nuisance_strength : float
        How much directions that should not matter are shrunk; 0 for not at all.
    calm_weight : float
        Weight of acted calm among the moods that the depression head learns to tell sadness from; neutral has 1.
        Acted calm is slow, low and soft, as quiet sadness is: the more it counts, the more tearful the sadness that
        the head hears.
    copy_weight : float
        Weight of an augmented copy of a recording beside the recording itself.
    folds, seed : int
        Of the cross-validation by speaker.
    """

    inverse_penalty: float = 0.01
    prosody_inverse_penalty: float = 0.03
    words_inverse_penalty: float = 0.003
    prosody_share: float = 0.2
    nuisance_strength: float = 0.0
    calm_weight: float = 0.1
    copy_weight: float = 0.3
    folds: int = 6
    seed: int = 7


@dataclass(frozen=True)
class Words:
    """A softmax regression over emotion words: `weights` is (K, E), `bias` (K,), in the order of `names`."""

    weights: Array
    bias: Array
    names: tuple[str, ...]

    def odds(self, z: Array, words_for: tuple[str, ...], words_against: tuple[str, ...]) -> Array:
        """Return the log-odds (W,) of some words against others for standardised rows (W, E)."""
        from scipy.special import logsumexp

        logits = z @ self.weights.T + self.bias
        one, other = ([self.names.index(word) for word in words] for words in (words_for, words_against))
        return np.asarray(logsumexp(logits[:, one], axis=1) - logsumexp(logits[:, other], axis=1), np.float64)


@dataclass(frozen=True)
class Heads:
    """Standardisation and heads; `weights` is (3, E) in the order of `TASKS`, `wordings` what words add to them."""

    mean: Array
    scale: Array
    weights: Array
    bias: Array
    words: Words | None = None
    wordings: dict[str, Wording] = field(default_factory=dict)

    def standardise(self, raw: NDArray[np.floating]) -> Array:
        """Return embeddings (W, E) as the encoder standardises them."""
        return np.clip((raw - self.mean) * self.scale, -EMBEDDING_LIMIT, EMBEDDING_LIMIT)

    def logits(self, raw: NDArray[np.floating]) -> Array:
        """Return logits (W, 3) of raw embeddings."""
        z = self.standardise(raw)
        logits = np.asarray(z @ self.weights.T + self.bias, np.float64)
        for head, wording in self.wordings.items():
            assert self.words is not None, "wordings are in words"
            logits[:, HEADS.index(head)] += wording.gain * self.words.odds(z, wording.words_for, wording.words_against)
        return logits

    def chances(self, raw: NDArray[np.floating]) -> Array:
        """Return probabilities (W, 8) of `EMOTIONS` for raw embeddings; NaN without a head for words."""
        from scipy.special import softmax

        said = np.full((len(raw), len(EMOTIONS)), np.nan if self.words is None else 0.0)
        if self.words is not None:
            columns = [EMOTIONS.index(word) for word in self.words.names]
            said[:, columns] = softmax(self.standardise(raw) @ self.words.weights.T + self.words.bias, axis=1)
        return said


def answers(recordings: Sequence[Recording], task: Task) -> Array:
    """Return 1 for yes, 0 for no, NaN for recordings that the task does not concern, shape (n,).

    A corpus' own depression label goes before emotion words; rated valence and arousal count by their sign.
    """
    return np.array([_answer(recording, task) for recording in recordings], np.float64)


def _answer(recording: Recording, task: Task) -> float:
    if task.name == "depression" and recording.depressed is not None:
        return float(recording.depressed)
    rated = {"valence": recording.valence, "arousal": recording.arousal}.get(task.name)
    if rated is not None:
        return float(rated > 0) if rated != 0 else np.nan
    if recording.emotion in task.yes:
        return 1.0
    return 0.0 if recording.emotion in task.no else np.nan


@dataclass(frozen=True)
class Windows:
    """Standardisable rows with what fitting needs to know about them.

    Parameters
    ----------
    raw : ndarray, shape (W, E)
        Raw embeddings.
    answers : ndarray, shape (W, 3)
        1, 0 or NaN for each of `TASKS`.
    emotion : ndarray of int64, shape (W,)
        Index into `EMOTIONS`, -1 for none.
    group : ndarray of str, shape (W,)
        Corpus and speaker.
    source : ndarray of int64, shape (W,)
        Which recording; copies of one recording have the same.
    copy : ndarray of int64, shape (W,)
        0 for the recording itself.
    """

    raw: NDArray[np.float32]
    answers: Array
    emotion: NDArray[np.int64]
    group: NDArray[np.str_]
    source: NDArray[np.int64]
    copy: NDArray[np.int64]

    def where(self, chosen: NDArray[np.bool_]) -> Windows:
        """Return some of the rows."""
        return Windows(*(getattr(self, name)[chosen] for name in self.__dataclass_fields__))


def fit_heads(windows: Windows, plan: HeadPlan, n_prosody: int) -> Heads:
    """Fit standardisation and heads.

    Parameters
    ----------
    windows : Windows
        Labelled and unlabelled rows, with augmented copies.
    plan : HeadPlan
        How.
    n_prosody : int
        How many of the last columns are prosody; they get a head of their own, see `HeadPlan.prosody_share`.
    """
    mean, scale = _standard(windows)
    z = Heads(mean, scale, np.zeros((3, 0)), np.zeros(3)).standardise(windows.raw)
    size = z.shape[1]
    states, prosody = slice(0, size - n_prosody), slice(size - n_prosody, size)
    share = plan.prosody_share if 0 < n_prosody < size else float(n_prosody == size)
    words = _fit_words(z, states, windows, plan) if share < 1 else None
    weights, bias, wordings = np.zeros((len(TASKS), size)), np.zeros(len(TASKS)), {}
    for index, task in enumerate(TASKS):
        known = ~np.isnan(windows.answers[:, index])
        if len(np.unique(windows.answers[known, index])) < 2:
            continue
        truth, importance = windows.answers[known, index], _importance(windows.where(known), task, plan)
        wording = _wording(words, task)
        said = np.zeros(known.sum())
        if share > 0:
            direction = _logistic(z[known, prosody], truth, importance, plan.prosody_inverse_penalty)[0]
            weights[index, prosody] = share * direction / (np.std(z[known, prosody] @ direction) + 1e-9)
        if words is not None and wording is not None:
            odds = words.odds(z[known], wording.words_for, wording.words_against)
            wording = replace(wording, gain=float((1 - share) / (np.std(odds) + 1e-9)))
            said = wording.gain * odds
        elif share < 1:
            transform = _transform(z[:, states], windows, plan)
            direction = transform @ _logistic(z[known, states] @ transform, truth, importance, plan.inverse_penalty)[0]
            weights[index, states] = (1 - share) * direction / (np.std(z[known, states] @ direction) + 1e-9)
        said = said + z[known] @ weights[index]
        slope, bias[index] = _logistic(said[:, None], truth, importance, 1.0)
        weights[index] *= slope
        if wording is not None:
            wordings[task.name] = replace(wording, gain=wording.gain * float(slope[0]))
    return Heads(mean, scale, weights, bias, words, wordings)


def _wording(words: Words | None, task: Task) -> Wording | None:
    """Return how a task is put in the words that were learnt; None if it is not, or they hold one side of it alone."""
    if words is None or task.name not in IN_WORDS:
        return None
    yes, no = (tuple(word for word in side if word in words.names) for side in (task.yes, task.no))
    return Wording(1.0, yes, no) if yes and no else None


def _logistic(x: Array, truth: Array, importance: Array, inverse_penalty: float) -> tuple[Array, float]:
    from sklearn.linear_model import LogisticRegression

    model = LogisticRegression(C=inverse_penalty, max_iter=500, class_weight="balanced")
    model.fit(x, truth, sample_weight=importance)
    return np.asarray(model.coef_[0], np.float64), float(model.intercept_[0])


def _importance(windows: Windows, task: Task, plan: HeadPlan) -> Array:
    """Weigh the speakers of a corpus alike, and copies and, where sadness is asked for, calm less."""
    weights = _weights(windows.group) * np.where(windows.copy > 0, plan.copy_weight, 1.0)
    calm = windows.emotion == EMOTIONS.index("calm")
    return np.where(calm & (task.name == "depression"), plan.calm_weight * weights, weights)


def _fit_words(z: Array, states: slice, windows: Windows, plan: HeadPlan) -> Words | None:
    from sklearn.linear_model import LogisticRegression

    known = windows.emotion >= 0
    if len(np.unique(windows.emotion[known])) < 3:
        return None
    model = LogisticRegression(C=plan.words_inverse_penalty, max_iter=500, class_weight="balanced")
    rows = z[known, states].astype(np.float32)  # half the time, and the same words
    model.fit(rows, windows.emotion[known], sample_weight=np.where(windows.copy[known] > 0, plan.copy_weight, 1.0))
    weights = np.zeros((len(model.classes_), z.shape[1]))
    weights[:, states] = model.coef_
    return Words(weights, np.asarray(model.intercept_, np.float64), tuple(EMOTIONS[i] for i in model.classes_))


def _standard(windows: Windows) -> tuple[Array, Array]:
    # Labelled rows set the scale: unlabelled corpora may be larger and of another kind of speech.
    labelled = ~np.isnan(windows.answers).all(1)
    rows = windows.raw[labelled] if labelled.any() else windows.raw
    return rows.mean(0).astype(np.float64), 1.0 / (rows.std(0).astype(np.float64) + 1e-4)


def _transform(z: Array, windows: Windows, plan: HeadPlan) -> Array:
    if plan.nuisance_strength == 0:
        return np.eye(z.shape[1])
    values, vectors = np.linalg.eigh(np.eye(z.shape[1]) + plan.nuisance_strength * _nuisance(z, windows))
    return np.asarray((vectors * values**-0.5) @ vectors.T, np.float64)


def _nuisance(z: Array, windows: Windows) -> Array:
    """Return the covariance of what should not matter, averaged over its sources, shape (E, E)."""
    corpora = np.array([group.split("/", 1)[0] for group in windows.group])
    labelled = np.asarray(~np.isnan(windows.answers).all(axis=1), np.bool_)
    sources = [_copy_differences(z, windows)]
    for corpus in np.unique(corpora):
        rows = np.asarray((corpora == corpus) & (windows.copy == 0), np.bool_)
        if np.any(labelled & rows):
            groups = windows.group[rows]
            sources.append(np.stack([z[rows][groups == g].mean(0) for g in np.unique(groups)]))
        else:
            sources.append(z[rows])
    covariances = [np.cov(source.T) for source in sources if len(source) > 2]
    return np.asarray(np.mean(covariances, axis=0) if covariances else np.zeros((z.shape[1],) * 2), np.float64)


def _copy_differences(z: Array, windows: Windows) -> Array:
    present, position = np.unique(windows.source, return_inverse=True)
    sums, counts = np.zeros((len(present), z.shape[1])), np.zeros(len(present))
    clean = windows.copy == 0
    np.add.at(sums, position[clean], z[clean])
    np.add.at(counts, position[clean], 1)
    changed = ~clean & (counts[position] > 0)
    where = position[changed]
    return np.asarray(z[changed] - sums[where] / counts[where, None], np.float64)


def _weights(groups: NDArray[np.str_]) -> Array:
    """Give each corpus the weight of its recordings, and each of its speakers the same share of it; the mean is 1."""
    names, position, counts = np.unique(groups, return_inverse=True, return_counts=True)
    corpora, of_corpus = np.unique([name.split("/", 1)[0] for name in names], return_inverse=True)
    speakers = np.bincount(of_corpus, minlength=len(corpora))
    sizes = np.bincount(of_corpus, weights=counts)
    weights = (sizes[of_corpus] / counts / speakers[of_corpus])[position]
    return np.asarray(weights / weights.mean(), np.float64)
