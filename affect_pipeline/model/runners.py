"""Runs windows through the encoder, so that a window's result does not depend on its company.

`SoloRunner` (CPU) gives each window a thread and each thread one core. A window never shares an
operation with another, so its bits are its own, and the number of threads changes nothing but the
speed. It is also the fastest on a CPU: threads that work on one matrix together wait for each other
at every operation. Batches of fixed shape would not do there: the row of a batch decides which
part of a matrix kernel computes it, and the last bits with it.

`BatchRunner` (CUDA) fills batches of one fixed shape for each length, with silent rows where
windows are lacking, so that the same kernels run for every window; a test holds it to equal bits
where there is a GPU. If the memory does not suffice, batches are halved for good.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from threading import Lock
from typing import Protocol

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from affect_pipeline.errors import ModelError

Forward = Callable[[Tensor, Tensor], Tensor]
"""Maps windows (B, T) and their lengths (B,) to results (B, K)."""


class Runner(Protocol):
    """Runs windows through a model."""

    def run(self, windows: Sequence[npt.NDArray[np.float32]], lengths: Sequence[int]) -> npt.NDArray[np.float64]:
        """Return the results of the windows, (N, K), in their order.

        Parameters
        ----------
        windows : Sequence of arrays (T,)
            Samples, zero from the window's length on. T may differ from window to window.
        lengths : Sequence[int]
            Samples of each window that are audio.
        """
        ...


class SoloRunner:
    """Runs each window alone on one core, several at once.

    Parameters
    ----------
    forward : Forward
        The model.
    threads : int
        Windows that are run at once; 0 means one a core that this process may use.
    """

    def __init__(self, forward: Forward, threads: int = 0) -> None:
        self.forward = forward
        self.threads = threads or len(os.sched_getaffinity(0))

    def run(self, windows: Sequence[npt.NDArray[np.float32]], lengths: Sequence[int]) -> npt.NDArray[np.float64]:
        """Return the results of the windows, (N, K), in their order."""
        workers = min(self.threads, len(windows))
        with _one_core_an_operation():
            if workers <= 1:
                rows = [self._one(window, length) for window, length in zip(windows, lengths, strict=True)]
            else:
                with ThreadPoolExecutor(workers, "scorer", initializer=torch.set_num_threads, initargs=(1,)) as pool:
                    rows = list(pool.map(self._one, windows, lengths))
        return np.stack(rows)

    def _one(self, window: npt.NDArray[np.float32], length: int) -> npt.NDArray[np.float64]:
        with torch.inference_mode():
            result = self.forward(torch.from_numpy(window)[None], torch.tensor([length]))
        return result[0].double().numpy()


class BatchRunner:
    """Runs windows in batches of fixed shape, one shape for each length.

    Parameters
    ----------
    forward : Forward
        The model, already on `device`.
    device : torch.device
        Where it runs.
    batch_samples : int
        Samples in a batch: the batch of short windows has more rows.
    """

    def __init__(self, forward: Forward, device: torch.device, batch_samples: int = 16_000 * 320) -> None:
        self.forward, self.device, self.batch_samples = forward, device, batch_samples

    def run(self, windows: Sequence[npt.NDArray[np.float32]], lengths: Sequence[int]) -> npt.NDArray[np.float64]:
        """Return the results of the windows, (N, K), in their order.

        Raises
        ------
        ModelError
            If not even one window fits the device's memory.
        """
        rows: list[npt.NDArray[np.float64] | None] = [None] * len(windows)
        for size in sorted({window.size for window in windows}, reverse=True):
            members = [index for index, window in enumerate(windows) if window.size == size]
            done = 0
            while done < len(members):
                chosen = members[done : done + self._rows_of(size)]
                results = self._batch([windows[i] for i in chosen], [lengths[i] for i in chosen], size)
                if results is None:
                    self._halve(size)
                    continue
                for index, result in zip(chosen, results, strict=True):
                    rows[index] = result
                done += len(chosen)
        return np.stack([row for row in rows if row is not None])

    def _rows_of(self, size: int) -> int:
        return max(1, self.batch_samples // size)

    def _halve(self, size: int) -> None:
        if self._rows_of(size) == 1:
            raise ModelError(f"a single window of {size} samples does not fit the memory of {self.device}")
        self.batch_samples = size * (self._rows_of(size) // 2)

    def _batch(
        self, windows: list[npt.NDArray[np.float32]], lengths: list[int], size: int
    ) -> npt.NDArray[np.float64] | None:
        """Return the results of one batch, or None if the memory did not suffice."""
        pinned = self.device.type == "cuda"
        audio = torch.zeros((self._rows_of(size), size), pin_memory=pinned)
        audio[: len(windows)] = torch.from_numpy(np.stack(windows))
        heard = torch.full((audio.shape[0],), size)
        heard[: len(lengths)] = torch.tensor(lengths)
        try:
            with torch.inference_mode():
                result = self.forward(audio.to(self.device, non_blocking=pinned), heard.to(self.device))
                return result[: len(windows)].double().cpu().numpy()
        except torch.OutOfMemoryError:
            if pinned:
                torch.cuda.empty_cache()
            return None


_lock = Lock()
_users = 0
_threads_before = 1


@contextmanager
def _one_core_an_operation() -> Iterator[None]:
    """Let no operation of torch use more than one core, and give the cores back afterwards.

    How a matrix product is shared among cores changes the order of its additions, and so its bits.
    The setting belongs to the process, so the last of several users gives it back.
    """
    global _users, _threads_before  # noqa: PLW0603 - the setting it guards is global to the process, too
    with _lock:
        if _users == 0:
            _threads_before = torch.get_num_threads()
        _users += 1
        torch.set_num_threads(1)
    try:
        yield
    finally:
        with _lock:
            _users -= 1
            if _users == 0:
                torch.set_num_threads(_threads_before)
