"""Cuts journals into windows of a few fixed lengths and puts the windows' results together.

A new input length costs a neural network dearly (new kernels, new memory), and a result that
depends on what else was in the batch makes a backfill differ from its nights. So each window has
one of a few fixed lengths, decided by the length of its own journal and nothing else.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

OVERLAP_S = 0.5
"""Least overlap of neighbouring windows: a syllable or two, so that no sound is cut for both."""

BUCKET_STEP_S = 1.0
"""A window is this many seconds shorter than the longest, or a multiple of this, or as long."""

INT16_SCALE = 1.0 / 32768.0


@dataclass(frozen=True)
class Window:
    """One piece of a journal as the encoder sees it.

    Parameters
    ----------
    start, stop : int
        The samples of the journal that it holds.
    length : int
        Its fixed length in samples; what exceeds ``stop - start`` is silence, and masked.
    weight : float
        The samples it answers for: one that k windows share counts 1/k for each, so that the
        weights of a journal's windows sum to its number of samples.
    """

    start: int
    stop: int
    length: int
    weight: float


def plan_windows(n_samples: int, window: int, overlap: int, step: int) -> tuple[Window, ...]:
    """Cut a journal into the fewest windows that cover it.

    The allowed lengths are `window`, ``window - step``, ``window - 2 * step``, and so on. A journal
    that fits one window is padded to the next of them. A longer one is cut into equal windows with
    nothing padded, evenly spaced, of the shortest length that covers it with at least `overlap`
    between neighbours: a journal just over one window becomes two of half the length, not two that
    hear nearly the same.

    Parameters
    ----------
    n_samples : int
        Length of the journal, in samples; at least 1.
    window : int
        Longest window.
    overlap : int
        Least overlap of neighbouring windows, less than `window`.
    step : int
        Spacing of the allowed lengths.

    Returns
    -------
    tuple[Window, ...]
        The windows, in order of time.

    Examples
    --------
    >>> [(w.start, w.stop, w.length, w.weight) for w in plan_windows(11, window=8, overlap=1, step=2)]
    [(0, 6, 6, 5.5), (5, 11, 6, 5.5)]
    """
    if n_samples < 1:
        raise ValueError("a journal without samples cannot be scored")
    if not 0 <= overlap < window:
        raise ValueError(f"an overlap of {overlap} samples does not fit windows of {window}")
    if n_samples <= window:
        return (Window(0, n_samples, _fit(n_samples, window, step), float(n_samples)),)
    count = math.ceil((n_samples - overlap) / (window - overlap))
    length = _fit(math.ceil((n_samples + (count - 1) * overlap) / count), window, step)
    last = n_samples - length
    starts = [index * last // (count - 1) for index in range(count)]
    return tuple(
        Window(start, start + length, length, weight)
        for start, weight in zip(starts, _shares(starts, length), strict=True)
    )


def _fit(value: int, window: int, step: int) -> int:
    return window - (window - value) // step * step


def _shares(starts: Sequence[int], length: int) -> list[float]:
    """Share each sample equally among the windows that cover it; return each window's total."""
    edges = sorted({edge for start in starts for edge in (start, start + length)})
    shares = [0.0] * len(starts)
    for left, right in itertools.pairwise(edges):
        owners = [index for index, start in enumerate(starts) if start <= left < start + length]
        for owner in owners:
            shares[owner] += (right - left) / len(owners)
    return shares


def cut(audio: npt.NDArray[np.int16] | npt.NDArray[np.float32], window: Window) -> npt.NDArray[np.float32]:
    """Return the samples of a window as float32 in [-1, 1], padded with zeros, shape (length,)."""
    padded = np.zeros(window.length, dtype=np.float32)
    piece = audio[window.start : window.stop]
    padded[: piece.size] = piece * np.float32(INT16_SCALE) if piece.dtype == np.int16 else piece
    return padded


@dataclass(frozen=True)
class WindowSpread:
    """How much a score varies from window to window, before a journal is heard.

    Parameters
    ----------
    sd : float
        Standard deviation of the score of a window of `reference_s` seconds around its journal's.
    weight : float
        How many windows that knowledge is worth. A journal of one window has no spread of its own
        and takes its error from here alone.
    reference_s : float
        Length of the windows that `sd` was measured on, in seconds.
    """

    sd: float
    weight: float = 4.0
    reference_s: float = 10.0


def combine(values: Sequence[float], seconds: Sequence[float], spread: WindowSpread) -> tuple[float, float]:
    """Return a journal's score and its standard error from those of its windows.

    A window's score is taken as the journal's plus noise whose variance falls with the seconds it
    answers for. The score is then the mean weighted by seconds. The noise level of one second is
    estimated from the windows' weighted squares and shrunk to what is known beforehand, the
    posterior mean under a scaled inverse chi-squared prior (Gelman et al., Bayesian Data Analysis,
    3rd ed., section 2.6, with its degrees of freedom taken as `spread.weight`); the error follows
    from the seconds heard in all. Overlaps are short and their correlation is left out.

    Parameters
    ----------
    values : Sequence[float]
        Score of each window.
    seconds : Sequence[float]
        Seconds that each window answers for.
    spread : WindowSpread
        What is known of the noise beforehand.

    Returns
    -------
    tuple[float, float]
        Mean and standard error.
    """
    total = math.fsum(seconds)
    mean = math.fsum(value * weight for value, weight in zip(values, seconds, strict=True)) / total
    squares = math.fsum(weight * (value - mean) ** 2 for value, weight in zip(values, seconds, strict=True))
    prior = spread.weight * spread.sd**2 * spread.reference_s
    noise = (prior + squares) / (spread.weight + len(values) - 1)
    return mean, math.sqrt(noise / total)
