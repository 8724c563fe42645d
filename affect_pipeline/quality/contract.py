"""The quality contract: what a recording must be for its voice to be judged.

The thresholds are a starting point from practice with clinical voice recordings on phones; change
them here, raise `CONTRACT`, and the version of the suite follows.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from functools import lru_cache
from typing import Literal

Level = Literal["fail", "warn"]

CONTRACT = "1.0"

NO_PROBLEM = "no_problem"
"""Name of the expectation that nothing was wrong with the file, its sidecar or its consent."""


@dataclass(frozen=True)
class Expected:
    """One line of the contract.

    Parameters
    ----------
    name : str
        Name of the expectation, as people and tables see it.
    metric : str
        Column it looks at.
    level : str
        ``fail`` puts a recording into quarantine, ``warn`` lets it pass with a remark.
    minimum, maximum : float or None
        Bounds, both allowed themselves; for `NO_PROBLEM` neither: its column must be empty.
    why : str
        Why this matters, for the Data Docs.
    """

    name: str
    metric: str
    level: Level
    minimum: float | None = None
    maximum: float | None = None
    why: str = ""


LINES: tuple[Expected, ...] = (
    Expected(NO_PROBLEM, "problem", "fail", why="The file can be decoded and its sidecar and consent are in order."),
    Expected("speech_at_least_3_s", "speech_s", "fail", 3.0, None, "Less speech than this says nothing."),
    Expected("snr_at_least_12_db", "snr_db", "fail", 12.0, None, "Noise this loud is scored instead of the voice."),
    Expected("clipping_at_most_5_percent", "clipping_ratio", "fail", None, 0.05, "Clipping sounds like shouting."),
    Expected("silence_at_most_50_percent", "silence_ratio", "fail", None, 0.5, "Most of it must be speech."),
    Expected("snr_at_least_18_db", "snr_db", "warn", 18.0, None, "Noise begins to move scores."),
    Expected("clipping_at_most_1_percent", "clipping_ratio", "warn", None, 0.01, "The microphone is overdriven."),
    Expected("silence_at_most_30_percent", "silence_ratio", "warn", None, 0.3, "Long silences, or little said."),
    Expected("level_at_least_minus_50_dbfs", "level_dbfs", "warn", -50.0, None, "The microphone is far or covered."),
    Expected("bandwidth_at_least_5_khz", "bandwidth_hz", "warn", 5_000.0, None, "A phone call, not a recording."),
    Expected("dc_offset_at_most_2_percent", "dc_offset", "warn", -0.02, 0.02, "The microphone's electronics drift."),
)


@lru_cache
def suite_version(lines: tuple[Expected, ...] = LINES) -> str:
    """Return the version of the contract: its number, and the first digits of its SHA-256.

    Returns
    -------
    str
        For instance ``1.0-3f2a9c41``; other thresholds under the same number have other digits.
    """
    text = json.dumps([asdict(line) for line in lines], sort_keys=True)
    return f"{CONTRACT}-{hashlib.sha256(text.encode()).hexdigest()[:8]}"


def metrics(lines: tuple[Expected, ...] = LINES) -> tuple[str, ...]:
    """Return the columns the contract looks at, each once, in order."""
    return tuple(dict.fromkeys(line.metric for line in lines))
