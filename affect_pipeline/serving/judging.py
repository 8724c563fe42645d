"""The quality contract of the nights, for one live recording.

The nights hold their recordings to the contract with Great Expectations, which takes seconds to
start; here the same lines are read directly.
"""

from __future__ import annotations

from collections.abc import Mapping

from affect_pipeline.quality.contract import LINES, NO_PROBLEM, Expected


def judge(
    quality: Mapping[str, float | None], lines: tuple[Expected, ...] = LINES
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the expectations that a recording fails, and those that only warn.

    Parameters
    ----------
    quality : Mapping[str, float or None]
        Quality metrics by name; a metric that is not defined breaks nothing, as at night.
    lines : tuple of Expected
        The contract.
    """
    broken = [line for line in lines if line.name != NO_PROBLEM and _breaks(quality.get(line.metric), line)]
    failed = tuple(line.name for line in broken if line.level == "fail")
    return failed, () if failed else tuple(line.name for line in broken)


def _breaks(value: float | None, line: Expected) -> bool:
    if value is None:
        return False
    return (line.minimum is not None and value < line.minimum) or (line.maximum is not None and value > line.maximum)
