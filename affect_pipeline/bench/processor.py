"""Who takes the processor: time of each service of a stack, with all processes that came of it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

import numpy as np
import psutil

MACHINE = "machine"
"""Stands for all that ran, of the stack or not."""

SAMPLED_EVERY_S = 1.0


@dataclass
class Processor:
    """Samples the processor time of services while it is used as a context manager.

    Parameters
    ----------
    services : callable
        Returns the process that each service began with, by the name of the service; asked for every sample.
    """

    services: Callable[[], Mapping[str, int]]
    _moments: list[float] = field(default_factory=list)
    _samples: list[dict[str, float]] = field(default_factory=list)
    _over: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None

    def __enter__(self) -> Self:
        self._sample()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        if self._thread is not None:
            self._thread.join()
        self._sample()

    def seconds(self, begun: float, ended: float) -> dict[str, float]:
        """Return the core-seconds that each service took between two moments (seconds since 1970), and `MACHINE`.

        What a process took that was left behind by its parent counts for the machine alone.
        """
        names = dict.fromkeys(name for sample in self._samples for name in sample)
        taken = {}
        for name in names:
            moments = [when for when, one in zip(self._moments, self._samples, strict=True) if name in one]
            values = [one[name] for one in self._samples if name in one]
            before, after = np.interp([begun, ended], moments, values)
            taken[name] = float(after - before)
        return taken

    def _watch(self) -> None:
        while not self._over.wait(SAMPLED_EVERY_S):
            self._sample()

    def _sample(self) -> None:
        moment, busy = time.time(), psutil.cpu_times()
        machine = busy.user + busy.nice + busy.system + busy.irq + busy.softirq
        self._samples.append({MACHINE: machine} | _seconds(self.services()))
        self._moments.append(moment)


def _seconds(services: Mapping[str, int]) -> dict[str, float]:
    """Return the time of each service until now: of its processes that live, and of those that they waited for."""
    parents: dict[int, int] = {}
    own: dict[int, float] = {}
    for process in psutil.process_iter():
        with suppress(psutil.Error), process.oneshot():
            times = process.cpu_times()
            parents[process.pid] = process.ppid()
            own[process.pid] = times.user + times.system + times.children_user + times.children_system
    names = {pid: name for name, pid in services.items()}
    total = dict.fromkeys(services, 0.0)
    for pid, seconds in own.items():
        ancestor: int | None = pid
        while ancestor is not None and ancestor not in names:
            ancestor = parents.get(ancestor)
        if ancestor is not None:
            total[names[ancestor]] += seconds
    return total
