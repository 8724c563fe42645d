"""When a participant speaks, without any word of it: turn lengths, pauses, response latency, share of speech.

Only what the participant does is measured. How often, how long and for how long altogether the interviewer asked
depends on what she had heard, and would tell the label; so turns are not counted and her time is left out.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from affect_pipeline.model.corpora.depression import Turn

Array = NDArray[np.float64]

NAMES = ("turn length", "turn length spread", "short turns", "pause", "latency", "latency spread", "speech share")
"""Lengths as logarithms of seconds: their median, and their standard deviation; `short turns` are under a second."""
LEAST_TURNS = 3
LONGEST_S = 10.0
"""Longer silences are taken for an interruption of the interview."""
FLOOR_S = 0.05


def timing_features(turns: Sequence[Turn]) -> Array:
    """Return measures in the order of `NAMES`, NaN where a transcript does not tell.

    A transcript without the interviewer's turns, as E-DAIC has it, tells nothing of pauses and latencies: the silence
    between two turns of the participant may be hers.

    Parameters
    ----------
    turns : sequence of Turn
        Of one interview, in order of time.
    """
    lengths = [turn.stop_s - turn.start_s for turn in turns if turn.of_participant]
    if len(lengths) < LEAST_TURNS:
        return np.full(len(NAMES), np.nan)
    pauses, latencies = _silences(turns)
    quiet = sum(pauses) + sum(latencies)
    both = any(not turn.of_participant for turn in turns)
    return np.array([
        *_logarithms(lengths),
        float(np.mean(np.array(lengths) < 1.0)),
        _logarithms(pauses)[0],
        *_logarithms(latencies),
        sum(lengths) / (sum(lengths) + quiet) if both else np.nan,
    ])  # fmt: skip


def _silences(turns: Sequence[Turn]) -> tuple[list[float], list[float]]:
    """Return silences before a turn of the participant: after one of their own, and after one of the interviewer."""
    if all(turn.of_participant for turn in turns):
        return [], []
    found: tuple[list[float], list[float]] = ([], [])
    for before, turn in itertools.pairwise(turns):
        silence = turn.start_s - before.stop_s
        if turn.of_participant and silence <= LONGEST_S:
            found[0 if before.of_participant else 1].append(max(silence, 0.0))
    return found


def _logarithms(seconds: Sequence[float]) -> tuple[float, float]:
    if len(seconds) < LEAST_TURNS:
        return float("nan"), float("nan")
    logs = np.log(np.maximum(seconds, FLOOR_S))
    return float(np.median(logs)), float(logs.std())
