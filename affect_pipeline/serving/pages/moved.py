"""Which channels of an alert moved, in words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from affect_pipeline.serving import words


@dataclass(frozen=True)
class Moved:
    """One channel that moved.

    Parameters
    ----------
    name, label : str
        The channel.
    phrase : str
        What the movement means, in words.
    sds : float or None
        How far it moved, in the patient's own SDs.
    """

    name: str
    label: str
    phrase: str
    sds: float | None

    @property
    def text(self) -> str:
        """The whole in one line."""
        if self.sds is None:
            return self.label
        return f"{self.label}: {self.phrase} ({words.number(abs(self.sds), 1)} of their own SDs)"


def moved_channels(channels: Any) -> list[Moved]:
    """Read the channels of an alert, the largest movement first.

    Parameters
    ----------
    channels : object
        A mapping of channel to SDs (or to an object that holds them), or a list of objects with the
        channel's name.
    """
    if isinstance(channels, dict):
        pairs = [(str(name), _sds(value)) for name, value in channels.items()]
    elif isinstance(channels, list):
        pairs = [
            (str(item.get("channel") or item.get("name")), _sds(item)) if isinstance(item, dict) else (str(item), None)
            for item in channels
        ]
    else:
        pairs = []
    moved = [_moved(name, sds) for name, sds in pairs]
    return sorted(moved, key=lambda item: -abs(item.sds or 0.0))


def _moved(name: str, sds: float | None) -> Moved:
    channel = words.channel(name)
    return Moved(name, channel.label, channel.rising if (sds or 0.0) >= 0 else channel.falling, sds)


def _sds(value: Any) -> float | None:
    if isinstance(value, dict):
        found = next((value[key] for key in ("effect_sd", "sds") if key in value), None)
        return _sds(found)
    return float(value) if isinstance(value, int | float) else None
