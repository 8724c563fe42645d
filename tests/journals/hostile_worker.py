"""A decoder that does what a recording tells it to: what a real one would do once a recording had taken it over.

It gives up its rights as the real one does. What comes back as ``detail`` is how the attempt ended.
"""

from __future__ import annotations

import ctypes
import errno
import os
import signal
import socket
import sys
import time
from pathlib import Path

import numpy as np

from affect_pipeline.errors import DecodeError
from affect_pipeline.journals.decode import DecodedAudio, DecodeLimits
from affect_pipeline.journals.decode_worker import main


def obey(path: Path, limits: DecodeLimits, first_frame: int) -> DecodedAudio:
    verb, _, argument = path.read_bytes().decode().partition(" ")
    if verb == "good":
        return DecodedAudio(np.zeros(100, np.float32), 16_000, 1, "wav")
    if verb == "claim":  # more than was asked for
        return DecodedAudio(np.zeros(int(argument), np.float32), 16_000, 1, "wav")
    if verb == "nan":
        return DecodedAudio(np.full(100, np.nan, np.float32), 16_000, 1, "wav")
    raise DecodeError("decode_failed", str(ACTS[verb](argument)))


def connect(address: str) -> str:
    host, port = address.split(":")
    return attempt(lambda: socket.create_connection((host, int(port)), timeout=2))


def attempt(act: object) -> str:
    try:
        act()  # type: ignore[operator]
    except OSError as error:
        return type(error).__name__
    return "done"


def start(program: str) -> str:
    """Become another program; only what refuses that can be told."""
    return attempt(lambda: os.execve(program, [program], {}))


def signal_other(pid: str) -> str:
    return attempt(lambda: os.kill(int(pid), signal.SIGTERM))


def call(number: str) -> str:
    """Make a system call with arguments that none accepts; return the name of the error."""
    libc = ctypes.CDLL(None, use_errno=True)
    assert libc.syscall(int(number), -1, -1, -1, -1, -1, -1) == -1
    return errno.errorcode[ctypes.get_errno()]


def burn(_: str) -> None:
    while True:
        pass


ACTS = {
    "crash": lambda _: os.kill(os.getpid(), signal.SIGSEGV),
    "hang": lambda _: time.sleep(3600),
    "burn": burn,
    "grab": lambda n: np.ones(int(n), np.uint8).size,
    "connect": connect,
    "socket": lambda family: attempt(lambda: socket.socket(int(family))),
    "start": start,
    "signal": signal_other,
    "call": call,
    "read": lambda name: attempt(Path(name).read_bytes),
    "write": lambda name: attempt(lambda: Path(name).write_bytes(b"x")),
    "list": lambda name: attempt(lambda: os.listdir(name)),  # noqa: PTH208
    "secrets": lambda _: sorted(name for name in os.environ if name.startswith("AFFECT_")),
}

if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2], obey)
