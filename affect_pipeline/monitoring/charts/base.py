"""What every chart is: a start, an update, and a state made of plain arrays.

A chart works on many patients at once; axis 0 of every array is the patient. It sees days that are
already standardised (SDs of the patient, worsening is positive), so it knows nothing of units. Its
state is constant in size: a night costs the same after a week and after five years.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from affect_pipeline.monitoring.arrays import Arrays, Bytes, Floats, Ints
from affect_pipeline.monitoring.segments import NEVER

DAY_TYPE, FIRST_DAY, NEVER_STORED = "i2", 10_957, -(2**15)
"""Days are stored in two bytes: as days since 2000-01-01, which reach from 1910 to 2089."""


@dataclass(frozen=True)
class Field:
    """One array of a state.

    Parameters
    ----------
    name : str
        Its name.
    dtype : str
        Type in memory.
    shape : tuple of int
        Shape without the patients.
    is_day : bool
        Whether it holds days since 1970-01-01 or `NEVER`, which take fewer bytes in store.
    """

    name: str
    dtype: str
    shape: tuple[int, ...] = ()
    is_day: bool = False

    @property
    def stored(self) -> np.dtype[Any]:
        """Type in store."""
        return np.dtype(DAY_TYPE if self.is_day else self.dtype).newbyteorder("<")


class Chart(Protocol):
    """A control chart over many patients."""

    name: str

    def fields(self) -> tuple[Field, ...]:
        """Return the arrays of the state."""
        ...

    def start(self, window: Floats, last_day: Ints) -> Arrays:
        """Return the state of patients whose baseline ends.

        Parameters
        ----------
        window : ndarray, shape (n_patients, n_days, n_channels)
            Standardised baseline days; NaN where there is none.
        last_day : ndarray of int, shape (n_patients,)
            Number of the last day of the window (any origin, one a calendar day).
        """
        ...

    def update(self, state: Arrays, day: Ints, values: Floats) -> Floats:
        """Take in one day, in place.

        Parameters
        ----------
        state : Arrays
            As `start` or an earlier `update` left it.
        day : ndarray of int, shape (n_patients,)
            Number of the day.
        values : ndarray, shape (n_patients, n_channels)
            Standardised values; NaN where there is none.

        Returns
        -------
        ndarray, shape (n_patients,)
            The statistic: the higher, the more the patient has got worse. NaN on a day without values.
        """
        ...


def new_state(fields: tuple[Field, ...], n_patients: int) -> Arrays:
    """Return a state of zeros."""
    return {field.name: np.zeros((n_patients, *field.shape), dtype=field.dtype) for field in fields}


def state_size(fields: tuple[Field, ...]) -> int:
    """Return the bytes of one packed state."""
    return sum(int(field.stored.itemsize * np.prod(field.shape, dtype=int)) for field in fields)


def pack(state: Arrays, fields: tuple[Field, ...]) -> Bytes:
    """Return the state as bytes, shape (n_patients, `state_size`), little-endian.

    Raises
    ------
    ValueError
        If a day does not fit.
    """
    n = len(next(iter(state.values())))
    parts = []
    for field in fields:
        array = _stored_days(state[field.name], field.name) if field.is_day else state[field.name]
        array = np.ascontiguousarray(array, dtype=field.stored)
        parts.append(array.reshape(n, -1).view(np.uint8) if n else np.empty((0, 0), np.uint8))
    return np.concatenate(parts, axis=1) if n else np.empty((0, state_size(fields)), np.uint8)


def unpack(packed: Bytes, fields: tuple[Field, ...]) -> Arrays:
    """Return the state that `pack` packed.

    Raises
    ------
    ValueError
        If the rows do not have the size that the fields add up to.
    """
    n, size = packed.shape
    if size != state_size(fields):
        raise ValueError(f"a packed state has {size} bytes a patient; these charts need {state_size(fields)}")
    state: Arrays = {}
    start = 0
    for field in fields:
        width = int(field.stored.itemsize * np.prod(field.shape, dtype=int))
        piece = np.ascontiguousarray(packed[:, start : start + width]).view(field.stored).reshape(n, *field.shape)
        state[field.name] = piece.astype(field.dtype)
        if field.is_day:
            state[field.name] = np.where(piece == NEVER_STORED, NEVER, state[field.name] + FIRST_DAY)
        start += width
    return state


def _stored_days(days: Ints, name: str) -> Ints:
    """Return days as they are stored."""
    stored = np.where(days == NEVER, NEVER_STORED, days - FIRST_DAY)
    if stored.size and (stored.min() < NEVER_STORED or stored.max() > -NEVER_STORED - 1):
        raise ValueError(f"{name}: a day lies outside of the years 1910 to 2089")
    return stored


def seen_mean(values: Floats) -> tuple[Floats, Floats]:
    """Return the mean over channels of what is there (0 where nothing is) and how many channels that were."""
    finite = np.isfinite(values)
    count = finite.sum(axis=1)
    total = np.where(finite, values, 0.0).sum(axis=1)
    return total / np.maximum(count, 1), count.astype(float)
