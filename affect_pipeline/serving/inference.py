"""One model, one thread, many clients.

Requests put their audio in a bounded queue. A single worker thread takes whatever is waiting, up to
a limit, and sends it through the model together: while one batch runs, the next one gathers. So the
event loop is never blocked, a quiet service answers at once, and a busy one works in full batches.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from affect_pipeline.errors import AffectError

if TYPE_CHECKING:
    import numpy as np

    from affect_pipeline.model.scorer import JournalScore


class QueueFull(AffectError):
    """As many recordings are waiting for the model as may wait."""


class QueueClosed(AffectError):
    """The service is shutting down, or its model could not be loaded."""


class ScoresAudio(Protocol):
    """What the queue needs of a scorer."""

    def score(self, audios: Sequence[np.ndarray]) -> list[JournalScore]:
        """Score recordings, each 16 kHz mono; a score does not depend on the others in the call."""
        ...


@dataclass(frozen=True)
class Job:
    """One recording and where its score is to go."""

    audio: np.ndarray
    score: Future[JournalScore]


class InferenceQueue:
    """A bounded queue in front of a model, and the thread that works it off.

    Parameters
    ----------
    load : callable
        Returns the scorer. It is called in the worker thread, since loading takes seconds.
    max_pending : int
        Recordings that may wait; one more raises `QueueFull`.
    max_batch : int
        Recordings that go through the model together.
    """

    def __init__(self, load: Callable[[], ScoresAudio], max_pending: int = 64, max_batch: int = 16) -> None:
        self._load, self.max_batch = load, max_batch
        self._jobs: queue.Queue[Job | None] = queue.Queue(max_pending)
        self._started, self._closed = threading.Lock(), threading.Event()
        self._thread: threading.Thread | None = None
        self.ready = threading.Event()
        self.failure: Exception | None = None
        self.scorer: ScoresAudio | None = None
        self.batch_sizes: dict[int, int] = {}

    def start(self) -> None:
        """Start the worker thread, if it is not running yet."""
        with self._started:
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name="affect-inference", daemon=True)
                self._thread.start()

    def close(self) -> None:
        """Finish the batch that is running, refuse the others, and end the thread."""
        self._closed.set()
        if self._thread is not None:
            self._wake()
            self._thread.join()
        self._refuse_waiting()

    @property
    def n_waiting(self) -> int:
        """Recordings that wait for the model, about."""
        return self._jobs.qsize()

    def submit(self, audio: np.ndarray) -> Future[JournalScore]:
        """Put one recording in the queue.

        Parameters
        ----------
        audio : numpy.ndarray
            16 kHz mono, int16 or float32, shape (n_samples,).

        Returns
        -------
        concurrent.futures.Future
            Resolves to its `JournalScore`. Cancel it if the client has gone.

        Raises
        ------
        QueueFull
            If too many recordings are waiting.
        QueueClosed
            If the service is shutting down or the model could not be loaded.
        """
        if self._closed.is_set():
            raise QueueClosed(f"the model is not available: {self.failure or 'the service is shutting down'}")
        self.start()
        job = Job(audio, Future())
        try:
            self._jobs.put_nowait(job)
        except queue.Full:
            raise QueueFull(f"{self._jobs.maxsize} recordings are already waiting for the model") from None
        return job.score

    def _work(self) -> None:
        try:
            self.scorer = self._load()
        except Exception as error:
            self.failure = error
            self._closed.set()
            self._refuse_waiting()
            return
        self.ready.set()
        while not self._closed.is_set():
            batch = self._next_batch()
            if batch:
                self._run(self.scorer, batch)

    def _next_batch(self) -> list[Job]:
        """Wait for a job, then take what else is waiting and not cancelled."""
        jobs = [self._jobs.get()]
        while len(jobs) < self.max_batch:
            try:
                jobs.append(self._jobs.get_nowait())
            except queue.Empty:
                break
        return [job for job in jobs if job is not None and job.score.set_running_or_notify_cancel()]

    def _run(self, scorer: ScoresAudio, batch: list[Job]) -> None:
        self.batch_sizes[len(batch)] = self.batch_sizes.get(len(batch), 0) + 1
        try:
            scores = scorer.score([job.audio for job in batch])
        except Exception as error:
            for job in batch:
                job.score.set_exception(error)
            return
        for job, score in zip(batch, scores, strict=True):
            job.score.set_result(score)

    def _wake(self) -> None:
        """Let a thread that waits for a job see that the queue is closed."""
        try:
            self._jobs.put_nowait(None)
        except queue.Full:
            return  # it has jobs, so it is awake

    def _refuse_waiting(self) -> None:
        while True:
            try:
                job = self._jobs.get_nowait()
            except queue.Empty:
                return
            if job is not None and job.score.set_running_or_notify_cancel():
                job.score.set_exception(QueueClosed("the service is shutting down"))
