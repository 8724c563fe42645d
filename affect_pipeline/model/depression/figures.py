"""Figures of participants: F1, AUC, RMSE, MAE and CCC, with intervals by resampling participants."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
LABELS = "phq8"
"""What taught such a head, as ``evaluation.json`` says it."""
METRICS = ("f1", "f1_macro", "auc", "rmse", "mae", "ccc")
"""F1 of depression and its mean over both answers at even odds; the area under the ROC curve; and of the PHQ-8 the
root mean squared and mean absolute error and the concordance correlation coefficient (Lin 1989)."""


@dataclass(frozen=True)
class Interval:
    """A figure with the bounds of its 95 % interval."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        """Return it as a table shows it."""
        if np.isnan(self.value):
            return "-"
        return f"{self.value:.2f} [{self.low:.2f}, {self.high:.2f}]"


@dataclass(frozen=True)
class Said:
    """What is known of participants and what was said of them; every array has the shape (n,)."""

    depressed: Array
    phq8: Array
    logit: Array
    phq8_said: Array


@dataclass(frozen=True)
class ParticipantFigures:
    """One line of the table.

    Parameters
    ----------
    corpus, split, system : str
        Corpus, its official part, and which modalities counted.
    n, n_depressed : int
        Participants.
    figures : dict of str to Interval
        By name of `METRICS`.
    gains : dict of str to Interval
        What that is more than with the voice alone, on the same resamples; empty for the voice.
    """

    corpus: str
    split: str
    system: str
    n: int
    n_depressed: int
    figures: dict[str, Interval]
    gains: dict[str, Interval]

    def as_json(self) -> dict[str, Any]:
        """Return plain values, rounded to four digits."""
        content = asdict(self)
        for part in ("figures", "gains"):
            content[part] = {
                name: {key: round(number, 4) for key, number in interval.items()}
                for name, interval in content[part].items()
            }
        return content


def participant_figures(
    corpus: str, split: str, systems: dict[str, Said], resamples: int, seed: int
) -> list[ParticipantFigures]:
    """Return a line for each system, all judged on the same participants and resamples.

    Parameters
    ----------
    corpus, split : str
        Words of the table.
    systems : dict of str to Said
        The first is what others are compared with.
    resamples, seed : int
        Of the bootstrap (Efron 1979, percentiles).
    """
    rows: list[ParticipantFigures] = []
    drawn: dict[str, dict[str, Array]] = {}
    for system, said in systems.items():
        n = len(said.depressed)
        rng = np.random.default_rng(seed)
        picks = np.concatenate([np.arange(n)[None], rng.integers(0, n, (resamples, n))])
        drawn[system] = {name: MEASURES[name](said, picks) for name in METRICS}
        first = next(iter(systems))
        gains = {name: drawn[system][name] - drawn[first][name] for name in METRICS} if system != first else {}
        rows.append(
            ParticipantFigures(
                corpus, split, system, n, int(said.depressed.sum()),
                {name: _interval(values) for name, values in drawn[system].items()},
                {name: _interval(values) for name, values in gains.items()},
            )
        )  # fmt: skip
    return rows


def _interval(values: Array) -> Interval:
    """Return the first value with percentiles of the others that could be measured."""
    others = values[1:][~np.isnan(values[1:])]
    if np.isnan(values[0]) or not others.size:
        return Interval(float(values[0]), float("nan"), float("nan"))
    low, high = np.percentile(others, [2.5, 97.5])
    return Interval(float(values[0]), float(low), float(high))


def _f1(answers: NDArray[np.bool_], said: NDArray[np.bool_]) -> Array:
    hits, either = (answers & said).sum(1), answers.sum(1) + said.sum(1)
    return np.where(answers.any(1), 2 * hits / np.maximum(either, 1), np.nan)


def _f1_depressed(said: Said, picks: NDArray[np.int64]) -> Array:
    return _f1((said.depressed == 1)[picks], (said.logit > 0)[picks])


def _f1_macro(said: Said, picks: NDArray[np.int64]) -> Array:
    return (_f1_depressed(said, picks) + _f1((said.depressed == 0)[picks], (said.logit <= 0)[picks])) / 2


def _auc(said: Said, picks: NDArray[np.int64]) -> Array:
    from scipy.stats import rankdata

    yes = (said.depressed == 1)[picks]
    ranks, n_yes, n_no = rankdata(said.logit[picks], axis=1), yes.sum(1), (~yes).sum(1)
    above = (ranks * yes).sum(1) - n_yes * (n_yes + 1) / 2
    return np.where((n_yes > 0) & (n_no > 0), above / np.maximum(n_yes * n_no, 1), np.nan)


def _known(said: Said, picks: NDArray[np.int64]) -> tuple[Array, Array]:
    """Return true scores and estimates of the picks, NaN where a score is not known."""
    truth = said.phq8[picks]
    return truth, np.where(np.isnan(truth), np.nan, said.phq8_said[picks])


def _errors(power: int) -> Callable[[Said, NDArray[np.int64]], Array]:
    def measure(said: Said, picks: NDArray[np.int64]) -> Array:
        truth, estimate = _known(said, picks)
        return _mean(np.abs(truth - estimate) ** power) ** (1 / power)

    return measure


def _ccc(said: Said, picks: NDArray[np.int64]) -> Array:
    truth, estimate = _known(said, picks)
    mean, other = _mean(truth), _mean(estimate)
    together = _mean((truth - mean[:, None]) * (estimate - other[:, None]))
    spread = _mean((truth - mean[:, None]) ** 2) + _mean((estimate - other[:, None]) ** 2) + (mean - other) ** 2
    return np.where(spread > 0, 2 * together / np.maximum(spread, 1e-12), np.nan)


def _mean(values: Array) -> Array:
    there = ~np.isnan(values)
    n = there.sum(1)
    return np.where(n > 0, np.where(there, values, 0).sum(1) / np.maximum(n, 1), np.nan)


MEASURES: dict[str, Callable[[Said, NDArray[np.int64]], Array]] = {
    "f1": _f1_depressed, "f1_macro": _f1_macro, "auc": _auc, "rmse": _errors(2), "mae": _errors(1), "ccc": _ccc,
}  # fmt: skip


def systems_of(modalities: Sequence[str]) -> list[tuple[str, ...]]:
    """Return the subsets of an ablation: the first alone, with each other one, and all."""
    first, *others = modalities
    subsets = [(first,), *((first, other) for other in others)]
    return subsets if len(others) < 2 else [*subsets, tuple(modalities)]


def gate_of(rows: Sequence[ParticipantFigures]) -> dict[str, float]:
    """Return what a successor's depression head has to reach: by voice, on the last official part of each corpus."""
    # The test part follows the development part; a system without a sum is the voice alone.
    last = {row.corpus: row for row in rows if " + " not in row.system}
    values = {f"{name}.depression": row.figures["auc"].value for name, row in last.items()}
    return {name: round(value, 4) for name, value in values.items() if not np.isnan(value)}
