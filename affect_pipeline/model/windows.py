"""How a journal is cut into windows for the model, and how windows speak for the journal.

A journal is cut into equal pieces no longer than ``window_s``. Every piece is padded to one of a few
fixed lengths, because on CPU each new input length costs dearly. The journal's value is the mean over its
windows; its standard error comes from their spread, shrunk towards the spread that is usual for the model,
so that a journal with one or two windows has an honest error too.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

SAMPLE_RATE_HZ = 16_000
BUCKETS = (0.25, 0.5, 1.0)
"""Padded lengths as shares of ``window_s``; a journal longer than one window only needs the last."""
PRIOR_WINDOWS = 4.0
"""Weight of the usual spread, in windows: a journal's own spread counts as much once it has five windows."""


def window_bounds(n_samples: int, window_s: float) -> list[tuple[int, int]]:
    """Return (start, end) of each window in samples at 16 kHz.

    Parameters
    ----------
    n_samples : int
        Length of the prepared audio; at least 1.
    window_s : float
        Longest window, in seconds.

    Returns
    -------
    list of (int, int)
        Adjoining windows that cover the audio, all of the same length up to one sample.
    """
    if n_samples < 1:
        raise ValueError("an empty recording has no windows")
    n_windows = max(1, math.ceil(n_samples / (window_s * SAMPLE_RATE_HZ)))
    edges = [round(n_samples * i / n_windows) for i in range(n_windows + 1)]
    return list(itertools.pairwise(edges))


def padded_length(n_samples: int, window_s: float) -> int:
    """Return the fixed length in samples that a window of ``n_samples`` is padded to with zeros."""
    full = round(window_s * SAMPLE_RATE_HZ)
    for share in BUCKETS:
        if n_samples <= round(full * share):
            return round(full * share)
    raise ValueError(f"a window of {n_samples} samples is longer than {window_s} s")


def mean_and_se(
    values: Sequence[float] | NDArray[np.floating], weights: Sequence[float] | NDArray[np.floating], usual_sd: float
) -> tuple[float, float]:
    """Return the journal's value and its standard error from the values of its windows.

    Parameters
    ----------
    values : sequence of float
        One value a window.
    weights : sequence of float
        Weight of each window, usually its length.
    usual_sd : float
        Spread between windows of one recording that is usual for this model and output.

    Returns
    -------
    (float, float)
        Weighted mean, and ``sd / sqrt(n_effective)`` where sd pools the journal's own variance (n - 1 degrees
        of freedom) with ``usual_sd**2`` (`PRIOR_WINDOWS` degrees), as in an inverse-chi-squared prior.
    """
    x, w = np.asarray(values, np.float64), np.asarray(weights, np.float64)
    w = w / w.sum()
    mean = float(np.sum(w * x))
    n_effective = 1.0 / float(np.sum(w**2))
    own = float(np.sum(w * (x - mean) ** 2)) * x.size
    variance = (own + PRIOR_WINDOWS * usual_sd**2) / (x.size - 1 + PRIOR_WINDOWS)
    return mean, math.sqrt(variance / n_effective)
