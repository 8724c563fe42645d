"""Types of the arrays that monitoring is made of; axis 0 is always the patient."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

Floats: TypeAlias = npt.NDArray[np.floating[Any]]
Ints: TypeAlias = npt.NDArray[np.integer[Any]]
Bools: TypeAlias = npt.NDArray[np.bool_]
Bytes: TypeAlias = npt.NDArray[np.uint8]
Texts: TypeAlias = npt.NDArray[Any]
Arrays: TypeAlias = dict[str, npt.NDArray[Any]]


def take(arrays: Arrays, rows: npt.NDArray[Any] | slice) -> Arrays:
    """Return the rows of every array."""
    return {name: array[rows] for name, array in arrays.items()}


def put(arrays: Arrays, rows: npt.NDArray[Any], values: Arrays) -> None:
    """Write rows into every array, in place."""
    for name, array in arrays.items():
        array[rows] = values[name]
