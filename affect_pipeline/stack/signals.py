"""Ending in order, however we are asked to end."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
"""Ctrl-C, `kill`, and a closed terminal."""


@contextmanager
def one_interrupt() -> Iterator[None]:
    """Within the block, the first signal that asks us to end raises `KeyboardInterrupt`; later ones are ignored.

    So that a second Ctrl-C of an impatient user does not cut short what the first one began: ending
    the child processes.
    """

    def interrupt(number: int, _frame: FrameType | None) -> None:
        for ending in ENDING:
            signal.signal(ending, signal.SIG_IGN)
        raise KeyboardInterrupt(signal.Signals(number).name)

    before = {number: signal.signal(number, interrupt) for number in ENDING}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
