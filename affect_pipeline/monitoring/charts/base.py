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


@dataclass(frozen=True)
class Field:
    """One array of a state: its name, its type, and its shape without the patients."""

    name: str
    dtype: str
    shape: tuple[int, ...] = ()


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
    """Return the bytes that one patient takes."""
    return sum(int(np.dtype(field.dtype).itemsize * np.prod(field.shape, dtype=int)) for field in fields)


def pack(state: Arrays, fields: tuple[Field, ...]) -> Bytes:
    """Return the state as bytes, shape (n_patients, `state_size`), little-endian."""
    n = len(next(iter(state.values())))
    parts = []
    for field in fields:
        array = np.ascontiguousarray(state[field.name], dtype=np.dtype(field.dtype).newbyteorder("<"))
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
        dtype: np.dtype[Any] = np.dtype(field.dtype).newbyteorder("<")
        width = int(dtype.itemsize * np.prod(field.shape, dtype=int))
        piece = np.ascontiguousarray(packed[:, start : start + width]).view(dtype)
        state[field.name] = piece.reshape(n, *field.shape).astype(field.dtype)
        start += width
    return state


def seen_mean(values: Floats) -> tuple[Floats, Floats]:
    """Return the mean over channels of what is there (0 where nothing is) and how many channels that were."""
    finite = np.isfinite(values)
    count = finite.sum(axis=1)
    total = np.where(finite, values, 0.0).sum(axis=1)
    return total / np.maximum(count, 1), count.astype(float)
