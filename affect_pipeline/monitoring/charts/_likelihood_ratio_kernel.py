"""Inner loops of the likelihood-ratio chart, compiled; one patient is one independent scalar computation.

Because a patient's numbers never meet another's, the result for a patient is the same to the last bit
whatever the company, which replay and re-runs rely on.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numba import njit, prange

NEVER = -(2**30)
"""Day number of something that has not happened."""

MAX_GAP_DAYS = 60
MAX_AGE_DAYS = 42
MAX_LEARNED_DAYS = 180.0
"""Days that a baseline remembers: beyond, old days fade, so that slow ageing of a voice is followed."""

WEIGHTS = ((14, 1.0), (28, 0.4), (MAX_AGE_DAYS, 0.1))
"""Weight of onsets by their age in days, up to so many: what was not found in weeks rarely is, and it costs limits."""

FIRST_WEIGHT, FIRST_DAYS = 10.0, 6
"""Onset days that the first candidate stands for: a change in the last days of the baseline looks like one on the first
day after it. It is the first only if it comes within so many days."""

EXPONENT_CAP = 60.0

INFORMATION_UNIT, SCORE_UNIT = 1.0 / 256.0, 1.0 / 128.0
"""Resolution of the sums of a candidate in the state: two bytes each, far below their noise."""

MAX_INFORMATION, MAX_SCORE = 65_535, 32_767


@njit(cache=True, inline="always")
def _spacing(age: Any) -> int:
    """Return how many days the neighbours of a candidate of this age may be apart for it to be dropped."""
    if age <= 14:
        return 0
    if age <= 28:
        return 4
    return 14


@njit(cache=True)
def _prune(today: Any, n_slots: Any, slot_day: Any, slot_gap: Any, slot_information: Any, slot_score: Any) -> int:
    """Drop candidates that are too old or have close neighbours; return how many are left."""
    kept = 0
    n_channels = slot_gap.shape[1]
    capacity = slot_day.shape[0]
    for k in range(n_slots):
        age = today - slot_day[k]
        drop = age > MAX_AGE_DAYS
        if not drop and kept > 0 and k + 1 < n_slots:
            drop = slot_day[k + 1] - slot_day[kept - 1] <= _spacing(age)
        if not drop:
            if kept != k:
                slot_day[kept] = slot_day[k]
                for c in range(n_channels):
                    slot_gap[kept, c] = slot_gap[k, c]
                    slot_information[kept, c] = slot_information[k, c]
                    slot_score[kept, c] = slot_score[k, c]
            kept += 1
    if kept == capacity:  # cannot happen with daily values; a guard, not a rule
        for k in range(1, kept):
            slot_day[k - 1] = slot_day[k]
            for c in range(n_channels):
                slot_gap[k - 1, c] = slot_gap[k, c]
                slot_information[k - 1, c] = slot_information[k, c]
                slot_score[k - 1, c] = slot_score[k, c]
        kept -= 1
    return kept


def gap_table(rho: Any) -> Any:
    """Return, for every channel and gap in days, the correlation over the gap and what a jump adds to the change alone.

    The regressors of the change and of the mean differ on the change's first day only, where the change jumps by one
    and the mean by one minus ``rho**gap``: their product sum is the change's own, less
    ``rho**gap / (1 - rho**(2 gap))``.

    Parameters
    ----------
    rho : ndarray, shape (n_channels,)
        Correlation of consecutive days.

    Returns
    -------
    ndarray, shape (2, n_channels, `MAX_GAP_DAYS` + 1)
        Gap 0 stands for no day before.
    """
    r = np.asarray(rho, dtype=float)[:, None] ** np.arange(MAX_GAP_DAYS + 1)
    r[:, 0] = 0.0
    return np.stack([r, r / (1.0 - r * r)])


@njit(cache=True, inline="always")
def _kept(value: Any, unit: Any, low: Any, high: Any) -> Any:
    """Return a sum as the state holds it: a whole number of units that fits."""
    return min(max(math.floor(value / unit + 0.5), low), high)


@njit(cache=True)
def _slot_evidence(
    k: Any,
    information: Any,
    mean: Any,
    precision: Any,
    slack: Any,
    slot_gap: Any,
    slot_information: Any,
    slot_score: Any,
    gaps: Any,
    inverse: Any,
    directions: Any,
    weights: Any,
    shift: Any,
    u: Any,
    root: Any,
    doubt: Any,
    together: Any,
    found: bool,
) -> tuple[float, float]:
    """Return the likelihood ratio of a worsening and of an improvement since candidate `k`.

    The unknown SD is integrated out: one over it has the mean `precision` and a variance of ``precision**2 * slack``,
    and the mean of ``exp(t x)`` over an ``x`` with mean m and variance v is ``exp(t m + t**2 v / 2)``. Once a change is
    `found`, the SD without it tells its first day better.
    """
    n_channels = mean.shape[0]
    for c in range(n_channels):
        p = slot_information[k, c] * INFORMATION_UNIT
        u[c] = 0.0
        root[c] = 0.0
        doubt[c] = 0.0
        if p > 0.0:
            x = p - gaps[1, c, slot_gap[k, c]]
            i = p - x * x / information[c]
            if i > 1e-9:
                root[c] = math.sqrt(i)
                u[c] = (slot_score[k, c] * SCORE_UNIT - x * mean[c]) / root[c] * precision[c]
                doubt[c] = u[c] * u[c] * slack[c]
                if found:
                    u[c] /= math.sqrt(max(1.0 - 2.0 * doubt[c], 1e-3))
                    doubt[c] = 0.0
    worse = 0.0
    better = 0.0
    n_joint = directions.shape[0] - n_channels
    for j in range(directions.shape[0]):
        # generalised least squares over channels: the score of each channel beside the others
        linear = 0.0
        quadratic = 0.0
        if j < n_joint:
            together[:] = 0.0
            for a in range(n_channels):
                if directions[j, a] != 0.0:
                    for b in range(n_channels):
                        together[b] += root[a] * inverse[a, b]
            for b in range(n_channels):
                linear += together[b] * u[b]
                quadratic += together[b] * (directions[j, b] * root[b] - together[b] * doubt[b])
        else:
            a = j - n_joint
            if root[a] == 0.0:
                worse += weights[j]
                better += weights[j]
                continue
            for b in range(n_channels):
                linear += inverse[a, b] * u[b]
                quadratic -= inverse[a, b] * inverse[a, b] * doubt[b]
            linear *= root[a]
            quadratic = (quadratic + inverse[a, a]) * root[a] * root[a]
        half = 0.5 * shift * shift * quadratic
        worse += weights[j] * math.exp(min(shift * linear - half, EXPONENT_CAP))
        better += weights[j] * math.exp(min(-shift * linear - half, EXPONENT_CAP))
    return worse, better


@njit(cache=True, inline="always")
def _know(information: Any, score: Any, squares: Any, df: Any, mean: Any, precision: Any, slack: Any) -> None:
    """Set a patient's means, the expectations of one over their SDs, and half the relative variances of the latter."""
    for c in range(len(mean)):
        mean[c] = score[c] / information[c]
        residual = squares[c] - score[c] * mean[c]
        precision[c] = math.sqrt((df[c] - 0.5) / max(residual, 1e-9))
        slack[c] = 0.5 / df[c]


@njit(cache=True, inline="always")
def _slot_weight(k: Any, slot_day: Any, today: Any, first_day: Any) -> float:
    """Return how many onset days candidate `k` stands for, less if they are long ago."""
    width = 1.0
    if k > 0:
        width = min(float(slot_day[k] - slot_day[k - 1]), 7.0)
    elif slot_day[0] - first_day <= FIRST_DAYS:
        width = FIRST_WEIGHT
    age = today - slot_day[k]
    if age <= WEIGHTS[0][0]:
        return width * WEIGHTS[0][1]
    return width * (WEIGHTS[1][1] if age <= WEIGHTS[1][0] else WEIGHTS[2][1])


@njit(cache=True, parallel=True)
def step(
    information: Any,
    score: Any,
    squares: Any,
    df: Any,
    last: Any,
    last_day: Any,
    frozen: Any,
    first_day: Any,
    n_slots: Any,
    slot_day: Any,
    slot_gap: Any,
    slot_information: Any,
    slot_score: Any,
    day: Any,
    values: Any,
    day_weight: Any,
    judge: Any,
    gaps: Any,
    inverse: Any,
    directions: Any,
    weights: Any,
    shift: Any,
    worse: Any,
    better: Any,
) -> None:
    """Take one day of every patient in; see `LikelihoodRatio`."""
    n, n_channels = values.shape
    for i in prange(n):
        seen = False
        for c in range(n_channels):
            if not math.isnan(values[i, c]):
                seen = True
        worse[i] = np.nan
        better[i] = np.nan
        if not seen:
            continue
        today = day[i]
        k_new = -1
        if judge and frozen[i] == 0:
            m = _prune(today, np.int64(n_slots[i]), slot_day[i], slot_gap[i], slot_information[i], slot_score[i])
            k_new = m
            slot_day[i, m] = today
            n_slots[i] = m + 1
        for c in range(n_channels):
            if k_new >= 0:
                slot_gap[i, k_new, c] = 0
                slot_information[i, k_new, c] = 0
                slot_score[i, k_new, c] = 0
            y = values[i, c]
            if math.isnan(y):
                continue
            gap = today - last_day[i, c]
            if gap > MAX_GAP_DAYS or gap <= 0:
                gap = 0
                jump, a, e = 1.0, 1.0, y
            else:
                r = gaps[0, c, gap]
                jump = 1.0 / math.sqrt(1.0 - r * r)
                a = (1.0 - r) * jump
                e = (y - r * last[i, c]) * jump
            w = day_weight[i]
            a *= w
            e *= w
            jump *= w
            if w < 1.0:
                jump, gap = a, 0  # what the jump's first day adds is not worth another number in the state
            for k in range(np.int64(n_slots[i])):
                if k == k_new:
                    slot_gap[i, k, c] = gap
                    grown, moved = jump * jump, jump * e
                else:
                    grown = slot_information[i, k, c] * INFORMATION_UNIT + a * a
                    moved = slot_score[i, k, c] * SCORE_UNIT + a * e
                slot_information[i, k, c] = _kept(grown, INFORMATION_UNIT, 0, MAX_INFORMATION)
                slot_score[i, k, c] = _kept(moved, SCORE_UNIT, -MAX_SCORE, MAX_SCORE)
            information[i, c] += a * a
            score[i, c] += a * e
            squares[i, c] += e * e
            df[i, c] += w * w
            if df[i, c] > MAX_LEARNED_DAYS and frozen[i] == 0:
                fade = MAX_LEARNED_DAYS / df[i, c]
                information[i, c] *= fade
                score[i, c] *= fade
                squares[i, c] *= fade
                df[i, c] *= fade
            last[i, c] = y
            last_day[i, c] = today
        if not judge:
            continue
        u = np.empty(n_channels)
        root = np.empty(n_channels)
        doubt = np.empty(n_channels)
        together = np.empty(n_channels)
        mean = np.empty(n_channels)
        precision = np.empty(n_channels)
        slack = np.empty(n_channels)
        _know(information[i], score[i], squares[i], df[i], mean, precision, slack)
        total_worse = 0.0
        total_better = 0.0
        for k in range(np.int64(n_slots[i])):
            w, b = _slot_evidence(
                k, information[i], mean, precision, slack, slot_gap[i], slot_information[i], slot_score[i],
                gaps, inverse, directions, weights, shift, u, root, doubt, together, False,
            )  # fmt: skip
            weight = _slot_weight(k, slot_day[i], today, first_day[i])
            total_worse += weight * w
            total_better += weight * b
        worse[i] = math.log(max(total_worse, 1e-30))
        better[i] = math.log(max(total_better, 1e-30))


@njit(cache=True)
def describe(
    information: Any,
    score: Any,
    squares: Any,
    df: Any,
    first_day: Any,
    n_slots: Any,
    slot_day: Any,
    slot_gap: Any,
    slot_information: Any,
    slot_score: Any,
    gaps: Any,
    inverse: Any,
    directions: Any,
    weights: Any,
    shift: Any,
    side: Any,
    onset: Any,
    onset_low: Any,
    onset_high: Any,
    effect: Any,
    effect_se: Any,
) -> None:
    """Find the most likely onset, its interval and the change of each channel; see `LikelihoodRatio.describe`."""
    n, n_channels = score.shape
    evidence = np.empty(slot_day.shape[1])
    u = np.empty(n_channels)
    root = np.empty(n_channels)
    doubt = np.empty(n_channels)
    together = np.empty(n_channels)
    mean = np.empty(n_channels)
    precision = np.empty(n_channels)
    slack = np.empty(n_channels)
    for i in range(n):
        m = np.int64(n_slots[i])
        if m == 0:
            continue
        _know(information[i], score[i], squares[i], df[i], mean, precision, slack)
        today = slot_day[i, m - 1]
        best = 0
        total = 0.0
        for k in range(m):
            w, b = _slot_evidence(
                k, information[i], mean, precision, slack, slot_gap[i], slot_information[i], slot_score[i],
                gaps, inverse, directions, weights, shift, u, root, doubt, together, True,
            )  # fmt: skip
            evidence[k] = (w if side > 0 else b) * _slot_weight(k, slot_day[i], today, NEVER)
            total += evidence[k]
            if evidence[k] > evidence[best]:
                best = k
        low, high, held = best, best, evidence[best]
        while held < 0.9 * total and (low > 0 or high < m - 1):
            if high == m - 1 or (low > 0 and evidence[low - 1] >= evidence[high + 1]):
                low -= 1
                held += evidence[low]
            else:
                high += 1
                held += evidence[high]
        onset[i] = slot_day[i, best]
        onset_low[i] = slot_day[i, low]
        onset_high[i] = slot_day[i, high]
        for c in range(n_channels):
            p = slot_information[i, best, c] * INFORMATION_UNIT
            if p > 0.0:
                x = p - gaps[1, c, slot_gap[i, best, c]]
                info = p - x * x / information[i, c]
                if info > 1e-9:
                    s = slot_score[i, best, c] * SCORE_UNIT - x * mean[c]
                    effect[i, c] = s / info
                    effect_se[i, c] = 1.0 / math.sqrt(info)


@njit(cache=True)
def freeze(
    frozen: Any, n_slots: Any, slot_day: Any, slot_gap: Any, slot_information: Any, slot_score: Any, onset: Any
) -> None:
    """Keep the candidate that began at `onset` as the only one; see `LikelihoodRatio.freeze`."""
    for i in range(len(frozen)):
        for k in range(np.int64(n_slots[i])):
            if slot_day[i, k] == onset[i]:
                slot_day[i, 0] = slot_day[i, k]
                slot_gap[i, 0] = slot_gap[i, k]
                slot_information[i, 0] = slot_information[i, k]
                slot_score[i, 0] = slot_score[i, k]
                n_slots[i] = 1
                frozen[i] = 1
                break


@njit(cache=True)
def thaw(
    information: Any,
    score: Any,
    squares: Any,
    df: Any,
    frozen: Any,
    n_slots: Any,
    slot_gap: Any,
    slot_information: Any,
    slot_score: Any,
    gaps: Any,
) -> None:
    """Take the days since the onset out of the baseline and drop the candidate; see `LikelihoodRatio.thaw`."""
    for i in range(len(frozen)):
        if frozen[i] == 0:
            continue
        for c in range(gaps.shape[1]):
            p = slot_information[i, 0, c] * INFORMATION_UNIT
            if p <= 0.0:
                continue
            since = slot_score[i, 0, c] * SCORE_UNIT
            gap = slot_gap[i, 0, c]
            r = gaps[0, c, gap]
            jump2 = 1.0 / (1.0 - r * r)
            x = p - gaps[1, c, gap]
            info = p - x * x / information[i, c]
            s = since - x * score[i, c] / information[i, c]
            residual = squares[i, c] - score[i, c] ** 2 / information[i, c]
            if info > 1e-9:
                residual -= s * s / info
            # the tail's own sums, with the first day's innovation put at what the change predicts for it
            tail = max(p - jump2 * r * (2.0 - r), 0.0)
            tail_score = since * (1.0 - r * jump2 / p)
            before = max(information[i, c] - tail, 0.05 * information[i, c])
            share = before / information[i, c]
            mean = (score[i, c] - tail_score) / before
            mean = min(max(mean, -3.0), 3.0)
            information[i, c] = before
            score[i, c] = mean * before
            df[i, c] = df[i, c] * share
            squares[i, c] = max(residual, 1e-9) * share + mean * mean * before
        frozen[i] = 0
        n_slots[i] = 0
