"""The state of all patients: plain arrays, one row a patient, and how they are packed into bytes."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field

import numpy as np

from affect_pipeline.monitoring.arrays import Arrays, Bytes, Ints, Texts
from affect_pipeline.monitoring.charts.base import Field, new_state, pack, unpack
from affect_pipeline.monitoring.chartset import ChartSet
from affect_pipeline.monitoring.segments import NEVER

VERSION = 3
"""Version of the packing; a state of another version is replayed from the journals."""

LEARNING, WATCHED, WITHDRAWN = 0, 1, 2

KINDS: tuple[str, ...] = ("worsening", "improving", "spread", "adherence", "quality")
"""Kinds of alerts, in the order of every array over kinds."""

N_DRIFT = 3
"""The first kinds have a statistic that only days with a value change."""


def world_fields(n_channels: int) -> tuple[Field, ...]:
    """Return every array of a patient's state."""
    k = len(KINDS)
    return (
        Field("phase", "u1"),
        Field("segment", "i4"),
        Field("segment_start", "i4", is_day=True),
        Field("restart_day", "i4", is_day=True),
        Field("ready_day", "i4", is_day=True),
        Field("profile_night", "i4", is_day=True),
        Field("device", "u8"),
        Field("n_values", "i4"),
        Field("last_value_day", "i4", is_day=True),
        Field("last_journal_day", "i4", is_day=True),
        Field("through_day", "i4", is_day=True),
        Field("froze_day", "i4", is_day=True),
        Field("thaw_day", "i4", is_day=True),
        Field("froze_worse", "u1"),
        Field("refused", "f4"),
        Field("statistic", "f4", (k,)),
        Field("open", "u1", (k,)),
        Field("opened_night", "i4", (k,), is_day=True),
        Field("quiet", "u1", (k,)),
        Field("cool_until", "i4", (k,), is_day=True),
        Field("severity", "u1", (k,)),
        Field("updated_night", "i4", (k,), is_day=True),
        Field("n_events", "i4", (k,)),
        Field("moved", "u1", (k,)),
        *ChartSet.fields_for(n_channels),
    )


_NEVER_FIELDS = (
    "segment_start", "restart_day", "ready_day", "profile_night", "last_value_day", "last_journal_day", "through_day",
    "froze_day", "thaw_day", "opened_night", "cool_until", "updated_night",
)  # fmt: skip


@dataclass
class World:
    """All patients of one model version.

    Parameters
    ----------
    n_channels : int
        Channels measured in the voice.
    keys : ndarray of bytes, shape (n_patients,)
        Patient keys, ascending.
    state : Arrays
        See `world_fields`.
    """

    n_channels: int
    keys: Texts = field(default_factory=lambda: np.zeros(0, "S32"))
    state: Arrays = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.state:
            self.state = new_state(world_fields(self.n_channels), len(self.keys))

    def __len__(self) -> int:
        return len(self.keys)

    def find(self, keys: Texts) -> Ints:
        """Return the rows of patients, who must be there."""
        return np.searchsorted(self.keys, keys)

    def register(self, keys: Texts) -> None:
        """Add patients who are not there yet; rows may move."""
        unknown = np.setdiff1d(keys, self.keys)
        if len(unknown) == 0:
            return
        fresh = new_state(world_fields(self.n_channels), len(unknown))
        for name in _NEVER_FIELDS:
            fresh[name][:] = NEVER
        joined = np.concatenate([self.keys.astype("S32"), unknown.astype("S32")])
        order = np.argsort(joined, kind="stable")
        self.keys = joined[order]
        self.state = {name: np.concatenate([self.state[name], fresh[name]])[order] for name in self.state}

    def packed(self, rows: Ints | slice = slice(None)) -> Bytes:
        """Return the state of some patients as bytes, shape (n_rows, size)."""
        return pack({name: array[rows] for name, array in self.state.items()}, world_fields(self.n_channels))

    @classmethod
    def from_packed(cls, n_channels: int, keys: Texts, packed: Bytes) -> World:
        """Return the world that was packed; keys ascending."""
        return cls(n_channels, keys.astype("S32"), unpack(packed, world_fields(n_channels)))


def device_code(devices: Texts) -> Ints:
    """Return a number for each device name; 0 where none is known."""
    names, where = np.unique(devices, return_inverse=True)
    codes = [int.from_bytes(hashlib.sha256(str(name).encode()).digest()[:8], "little") | 1 for name in names]
    known = np.array([0 if str(name) == "" else code for name, code in zip(names, codes, strict=True)], np.uint64)
    return known[where] if len(names) else np.zeros(0, np.uint64)
