"""The quality contract for one live recording, with the limits that nights are held to."""

from __future__ import annotations

from collections.abc import Mapping

FAILS: tuple[tuple[str, str, float, str], ...] = (
    ("speech_s", "below", 3.0, "too_little_speech"),
    ("snr_db", "below", 12.0, "noise_too_loud"),
    ("clipping_ratio", "above", 0.05, "clipped"),
    ("silence_ratio", "above", 0.5, "mostly_silence"),
)
WARNS: tuple[tuple[str, str, float, str], ...] = (
    ("snr_db", "below", 18.0, "some_background_noise"),
    ("clipping_ratio", "above", 0.01, "some_clipping"),
    ("silence_ratio", "above", 0.3, "long_silences"),
)


def judge(quality: Mapping[str, float | None]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the reasons to refuse a recording, and the reasons to be careful with it.

    Parameters
    ----------
    quality : Mapping[str, float or None]
        Quality metrics by name.
    """
    failed = tuple(reason for metric, side, limit, reason in FAILS if _outside(quality.get(metric), side, limit))
    warned = tuple(reason for metric, side, limit, reason in WARNS if _outside(quality.get(metric), side, limit))
    return failed, () if failed else warned


def _outside(value: float | None, side: str, limit: float) -> bool:
    if value is None:
        return False
    return value < limit if side == "below" else value > limit
