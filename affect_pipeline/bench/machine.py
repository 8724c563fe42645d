"""What a benchmark ran on, and what that machine can do at most."""

from __future__ import annotations

import os
import platform
import resource
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Literal

NAMED_PACKAGES = ("torch", "transformers", "onnxruntime", "librosa", "numpy", "apache-airflow", "great-expectations")
"""Packages whose versions move the figures."""


def n_cores() -> int:
    """Return the number of cores that this process may use."""
    return len(os.sched_getaffinity(0))


def describe() -> dict[str, Any]:
    """Return what somebody needs to know to compare: processor, cores, memory, versions; no name of the machine."""
    versions = {name: installed for name in NAMED_PACKAGES if (installed := _version(name)) is not None}
    return {
        "processor": _processor(),
        "cores": n_cores(),
        "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "packages": versions,
    }


def seconds_of(work: Callable[[], object], repeats: int = 1) -> float:
    """Return the wall time of a call in seconds, the quickest of several."""
    taken = []
    for _ in range(repeats):
        begun = time.perf_counter()
        work()
        taken.append(time.perf_counter() - begun)
    return min(taken)


def matmul_gflops(precision: Literal["float32", "bfloat16"], threads: int, size: int = 2048, repeats: int = 7) -> float:
    """Return the rate of a plain square matrix product in GFLOP/s, the quickest of several.

    Parameters
    ----------
    precision : {'float32', 'bfloat16'}
        Type of both factors.
    threads : int
        Cores that work on it together.
    size : int
        Rows and columns.
    repeats : int
        Products that are timed, one by one.
    """
    import torch

    factor = torch.randn(size, size).to(getattr(torch, precision))
    with torch_threads(threads), torch.inference_mode():
        torch.mm(factor, factor)
        quickest = seconds_of(lambda: torch.mm(factor, factor), repeats)
    return 2.0 * size**3 / quickest / 1e9


def peak_memory_gib() -> float:
    """Return the largest memory that this process has held so far, in GiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


@contextmanager
def torch_threads(n_threads: int) -> Iterator[None]:
    """Let an operation of torch use so many cores within the block."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(n_threads)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _processor() -> str:
    facts: dict[str, str] = {}
    path = Path("/proc/cpuinfo")
    for line in path.read_text().splitlines() if path.exists() else ():
        name, _, value = line.partition(":")
        facts.setdefault(name.strip(), value.strip())
    flags = facts.get("flags", "").split()
    known = [flag for flag in ("avx2", "avx512f", "avx512_bf16", "amx_bf16") if flag in flags]
    return (
        f"{facts.get('model name', platform.processor() or 'unknown')} ({', '.join(known) or 'no vector units known'})"
    )


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
