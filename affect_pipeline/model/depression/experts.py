"""One modality's say on a participant: log-odds of a PHQ-8 of ten or more, and the PHQ-8 itself.

Participants are few and features many, so experts are linear with a penalty that the official development part
chooses. Depression is the rarer answer: both answers weigh the same in fitting and in calibration, so log-odds are
those of somebody of whom nothing is known, and those of several modalities may be added.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from affect_pipeline.errors import CorpusError
from affect_pipeline.model.calibration import Calibration, fit_calibration
from affect_pipeline.model.depression.participants import VOICE, Participants

Array = NDArray[np.float64]


@dataclass(frozen=True)
class DepressionPlan:
    """Everything that decides the outcome beside the encoder and the interviews.

    Parameters
    ----------
    modalities : tuple of str
        What counts beside the voice.
    penalties : tuple of float
        Tried on the development part, the strongest first; of features scaled to unit length.
    folds : int
        Within the training part, for log-odds of people that an expert did not hear.
    weight_penalty : float
        Pulls the weight of a modality beside the voice to nothing.
    resamples : int
        Of the bootstrap over participants.
    seed : int
        Of folds and resamples.
    """

    modalities: tuple[str, ...] = (VOICE,)
    penalties: tuple[float, ...] = (10.0, 1.0, 0.1, 0.01)
    folds: int = 5
    weight_penalty: float = 0.01
    resamples: int = 1000
    seed: int = 7


@dataclass(frozen=True)
class Expert:
    """Standardisation and two linear heads on a modality's features.

    Parameters
    ----------
    mean, scale : ndarray, shape (D,)
        Of the training participants; features that never vary have the scale 0.
    weights, bias : ndarray of shape (D,), float
        Of the log-odds before calibration.
    phq8_weights, phq8_bias : ndarray of shape (D,), float
        Of the questionnaire's score.
    temperature : float
        Log-odds are divided by it.
    limit : float, optional
        Standardised features are clipped to this many SDs; None for the voice, whose windows are clipped already.
    """

    mean: Array
    scale: Array
    weights: Array
    bias: float
    phq8_weights: Array
    phq8_bias: float
    temperature: float
    limit: float | None

    def standardise(self, features: Array) -> Array:
        """Return features (N, D) in units that penalties are for; what is missing is as the average participant's."""
        z = np.nan_to_num((features - self.mean) * self.scale, nan=0.0)
        if self.limit is not None:
            z = np.clip(z, -self.limit, self.limit)
        return np.asarray(z / np.sqrt(z.shape[1]), np.float64)

    def logit(self, features: Array) -> Array:
        """Return calibrated log-odds (N,), both answers being as likely beforehand."""
        return np.asarray((self.standardise(features) @ self.weights + self.bias) / self.temperature, np.float64)

    def phq8(self, features: Array) -> Array:
        """Return estimates of the PHQ-8 (N,), not cut to its range."""
        return np.asarray(self.standardise(features) @ self.phq8_weights + self.phq8_bias, np.float64)

    def on_features(self) -> tuple[tuple[Array, float], tuple[Array, float]]:
        """Return weights (D,) and bias of both heads for features as they are, without calibration; only unclipped."""
        by = self.scale / np.sqrt(len(self.scale))
        found = []
        for weights, bias in ((self.weights, self.bias), (self.phq8_weights, self.phq8_bias)):
            found.append((weights * by, float(bias - self.mean @ (weights * by))))
        return found[0], found[1]

    def as_json(self) -> dict[str, Any]:
        """Return plain values; floats are written to the last bit."""
        return {name: v.tolist() if isinstance(v, np.ndarray) else v for name, v in asdict(self).items()}

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> Expert:
        """Read what `as_json` gave."""
        read: dict[str, Any] = {n: np.array(v, np.float64) if isinstance(v, list) else v for n, v in values.items()}
        return cls(**read)


@dataclass(frozen=True)
class FittedExpert:
    """An expert, and what it says of people that it did not hear.

    Parameters
    ----------
    expert : Expert
        Taught by the training part.
    logit, phq8 : ndarray, shape (N,)
        Of the training part by folds, of the development part by the expert; NaN for others and where it is missing.
    calibration : Calibration
        On these.
    penalty, phq8_penalty : float
        Chosen on the development part.
    losses : dict of str to list of float
        Of the development part at each penalty: ``log_loss`` and ``rmse``.
    """

    expert: Expert
    logit: Array
    phq8: Array
    calibration: Calibration
    penalty: float
    phq8_penalty: float
    losses: dict[str, list[float]]


def present(features: Array) -> NDArray[np.bool_]:
    """Return whose modality is there at all, shape (N,)."""
    return np.asarray(~np.isnan(features).all(axis=1), np.bool_)


def fit_expert(people: Participants, modality: str, plan: DepressionPlan) -> FittedExpert:
    """Fit a modality's expert on the training part; the development part chooses penalties.

    Parameters
    ----------
    people : Participants
        With a training and a development part.
    modality : str
        Which features.
    plan : DepressionPlan
        How.

    Raises
    ------
    CorpusError
        If one of the two parts has nobody of either answer with that modality.
    """
    features = people.features[modality]
    there = present(features)
    train, dev = (np.asarray(there & (people.split == part), np.bool_) for part in ("train", "dev"))
    for part, rows in (("train", train), ("dev", dev)):
        if len(np.unique(people.depressed[rows])) < 2:
            raise CorpusError(
                f"the part {part} has no {modality} of both depressed and other participants: "
                f"{int(rows.sum())} of {int((people.split == part).sum())} have it"
            )
    mean, scale = _standard(features[train])
    limit = None if modality == VOICE else 4.0
    blank = Expert(mean, scale, np.zeros(len(mean)), 0.0, np.zeros(len(mean)), 0.0, 1.0, limit)
    x = blank.standardise(features)
    answers, scores = people.depressed, people.phq8
    known = ~np.isnan(scores)
    losses = {
        "log_loss": [_log_loss(_logistic(x, answers, train, p, dev), answers[dev]) for p in plan.penalties],
        "rmse": [_rmse(_ridge(x, scores, train & known, p, dev & known), scores[dev & known]) for p in plan.penalties],
    }
    penalty, phq8_penalty = (plan.penalties[int(np.argmin(losses[name]))] for name in ("log_loss", "rmse"))
    logit, phq8 = np.full(len(x), np.nan), np.full(len(x), np.nan)
    fold = _folds(answers, train, plan)
    for number in np.unique(fold[train]):
        rest, held = train & (fold != number), train & (fold == number)
        logit[held] = _logistic(x, answers, rest, penalty, held)
        phq8[held] = _ridge(x, scores, rest & known, phq8_penalty, held)
    weights, bias = _fit_logistic(x[train], answers[train], penalty)
    phq8_weights, phq8_bias = _fit_ridge(x[train & known], scores[train & known], phq8_penalty)
    logit[dev], phq8[dev] = x[dev] @ weights + bias, x[dev] @ phq8_weights + phq8_bias
    calibration = fit_calibration(logit, np.where(there, answers, np.nan))
    expert = Expert(mean, scale, weights, bias, phq8_weights, phq8_bias, calibration.temperature, limit)
    return FittedExpert(expert, logit / calibration.temperature, phq8, calibration, penalty, phq8_penalty, losses)


def _standard(features: Array) -> tuple[Array, Array]:
    """Return mean and reciprocal SD of each feature over those who have it; a feature that tells nothing gets 0."""
    there = ~np.isnan(features)
    n = np.maximum(there.sum(0), 1)
    mean = np.where(there, features, 0).sum(0) / n
    spread = np.sqrt((np.where(there, features - mean, 0) ** 2).sum(0) / n)
    return mean, np.where(spread > 1e-6, 1.0 / np.maximum(spread, 1e-6), 0.0)


def _folds(answers: Array, train: NDArray[np.bool_], plan: DepressionPlan) -> NDArray[np.int64]:
    """Return the fold of each training participant, -1 for others; both answers are spread evenly."""
    rng, fold = np.random.default_rng(plan.seed), np.full(len(answers), -1)
    for answer in (0.0, 1.0):
        rows = rng.permutation(np.flatnonzero(train & (answers == answer)))
        fold[rows] = np.arange(len(rows)) % plan.folds
    return fold


def _fit_logistic(x: Array, answers: Array, penalty: float) -> tuple[Array, float]:
    from sklearn.linear_model import LogisticRegression

    model = LogisticRegression(C=1.0 / penalty, max_iter=1000, class_weight="balanced").fit(x, answers)
    return np.asarray(model.coef_[0], np.float64), float(model.intercept_[0])


def _fit_ridge(x: Array, scores: Array, penalty: float) -> tuple[Array, float]:
    from sklearn.linear_model import Ridge

    if len(scores) < 2:
        return np.zeros(x.shape[1]), float(scores.mean()) if len(scores) else float("nan")
    model = Ridge(alpha=penalty).fit(x, scores)
    return np.asarray(model.coef_, np.float64), float(model.intercept_)


def _logistic(x: Array, answers: Array, rows: NDArray[np.bool_], penalty: float, asked: NDArray[np.bool_]) -> Array:
    if len(np.unique(answers[rows])) < 2:
        return np.zeros(int(asked.sum()))
    weights, bias = _fit_logistic(x[rows], answers[rows], penalty)
    return np.asarray(x[asked] @ weights + bias, np.float64)


def _ridge(x: Array, scores: Array, rows: NDArray[np.bool_], penalty: float, asked: NDArray[np.bool_]) -> Array:
    weights, bias = _fit_ridge(x[rows], scores[rows], penalty)
    return np.asarray(x[asked] @ weights + bias, np.float64)


def balance(answers: Array) -> Array:
    """Return weights (n,) that sum to 1, half for each answer."""
    yes, no = 0.5 / max(answers.sum(), 1), 0.5 / max((1 - answers).sum(), 1)
    return np.asarray(np.where(answers == 1, yes, no), np.float64)


def _log_loss(logits: Array, answers: Array) -> float:
    return float(np.sum(balance(answers) * np.logaddexp(0, np.where(answers == 1, -logits, logits))))


def _rmse(said: Array, scores: Array) -> float:
    return float(np.sqrt(np.mean((said - scores) ** 2))) if len(scores) else 0.0
