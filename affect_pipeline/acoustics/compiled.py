"""librosa, whose compiled parts only one process at a time may make.

librosa compiles its generalised universal functions when it is imported the first time on a machine, and numba keeps
each in two files. Two processes that compile at the same time can leave halves that do not belong together: whoever
calls the function afterwards dies of a segmentation fault (numba issue 10128). Airflow's tasks, the web service and
the commands may all be the first.
"""

from __future__ import annotations

import fcntl
import importlib
import importlib.util
import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from types import ModuleType


@cache
def import_librosa() -> ModuleType:
    """Import librosa with what is compiled meanwhile, after any other process that is doing so.

    That is `librosa.util`, `librosa.core.audio` and `librosa.core.pitch`; `librosa.beat` is not imported.

    Returns
    -------
    module
        ``librosa``.
    """
    with _one_process():
        importlib.import_module("librosa.feature.spectral")
        return importlib.import_module("librosa")


def lock_file() -> Path:
    """Return the file that is locked meanwhile: librosa's own, which all users of an installation share."""
    found = importlib.util.find_spec("librosa")
    if found is None or found.origin is None:
        raise ModuleNotFoundError("librosa is not installed; it comes with affect-pipeline")
    return Path(found.origin)


@contextmanager
def _one_process() -> Iterator[None]:
    descriptor = os.open(lock_file(), os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
