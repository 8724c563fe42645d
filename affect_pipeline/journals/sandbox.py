"""Decoding in a child process that a hostile recording can crash, hang or take over without harm.

A decoder process (`decode_worker`) has no network, can open no files but programs and libraries, writes none, and is
bounded in memory and processor time. It is given a recording as a descriptor of a file in memory and gives samples
back in another. A process that crashes or takes too long is killed and replaced; a recording that crashes two of them
is refused. Decoders live as long as the process that uses them: starting one takes longer than decoding a recording.
Only those that have ffmpeg decode can start programs, and they are given nothing else to decode.
"""

from __future__ import annotations

import atexit
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import IO, Any

import numpy as np

from affect_pipeline.errors import DecodeError, DecoderUnavailable
from affect_pipeline.journals.confine import WITH_FFMPEG, Confinement
from affect_pipeline.journals.decode import DecodedAudio, DecodeLimits
from affect_pipeline.journals.formats import FFMPEG_FORMATS, FORMATS, SNIFFED_BYTES, audio_format

DEFAULT_LIMITS = DecodeLimits()
START_WITHIN_S = 60.0
RECORDINGS_EACH = 1000
"""A decoder is replaced after so many recordings: libraries leak."""

MOST_MESSAGE_BYTES = 1 << 16
MOST_DETAIL = 300
BYTES_A_SAMPLE = 4
ROOM_IS_MADE = b"!"
_WITHOUT_PROGRAMS = "without-programs"
_KINDS = (_WITHOUT_PROGRAMS, WITH_FFMPEG)
_ATTEMPTS = 2
_LENGTH_BYTES = 8


class Decoders:
    """Decoder processes, started when they are needed; as many as are used at once.

    May be used by several threads. Use it as a context manager, or `close` it.

    Parameters
    ----------
    program : str
        The module that is started; only tests start another.
    """

    def __init__(self, program: str = "affect_pipeline.journals.decode_worker") -> None:
        self._program = program
        self._idle: dict[str, list[_Worker]] = {kind: [] for kind in _KINDS}
        self._lock = threading.Lock()

    def decode(
        self, recording: Path | bytes, limits: DecodeLimits = DEFAULT_LIMITS, first_frame: int = 0
    ) -> DecodedAudio:
        """Decode a recording in a decoder process; see `decode.decode`.

        Parameters
        ----------
        recording : Path or bytes
            The file, or what is in it.
        limits : DecodeLimits
            What it may cost.
        first_frame : int
            Samples before it are left out.

        Raises
        ------
        DecodeError
            As `decode.decode` does, and if the recording crashed or outlasted the decoder.
        DecoderUnavailable
            If no decoder can be started: that is no fault of the recording.
        """
        descriptor = _in_memory(recording, limits.max_bytes)
        kind = _kind_for(os.pread(descriptor, SNIFFED_BYTES, 0))
        try:
            for attempt in range(1, _ATTEMPTS + 1):
                try:
                    return self._try(kind, descriptor, limits, first_frame)
                except _Died as error:
                    if attempt == _ATTEMPTS:
                        raise DecodeError("decode_failed", str(error)) from None
        finally:
            os.close(descriptor)
        raise AssertionError

    def confinement(self) -> Confinement:
        """Return what this machine lets a decoder give up, by starting one."""
        worker = self._take(_WITHOUT_PROGRAMS)
        self._give_back(worker)
        return worker.confinement

    def close(self) -> None:
        """End all decoders that are idle."""
        with self._lock:
            idle = [worker for kind in _KINDS for worker in self._idle[kind]]
            self._idle = {kind: [] for kind in _KINDS}
        for worker in idle:
            worker.kill()

    def __enter__(self) -> Decoders:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _try(self, kind: str, descriptor: int, limits: DecodeLimits, first_frame: int) -> DecodedAudio:
        worker = self._take(kind)
        try:
            audio = worker.decode(descriptor, limits, first_frame)
        except DecodeError:
            self._give_back(worker)
            raise
        except BaseException:
            worker.kill()
            raise
        self._give_back(worker)
        return audio

    def _take(self, kind: str) -> _Worker:
        with self._lock:
            if self._idle[kind]:
                return self._idle[kind].pop()
        return _Worker(self._program, kind)

    def _give_back(self, worker: _Worker) -> None:
        if worker.n_decoded >= RECORDINGS_EACH or worker.killed:
            worker.kill()
            return
        with self._lock:
            self._idle[worker.kind].append(worker)


class _Died(Exception):
    """A decoder process ended, or sent what no decoder of ours sends."""


class _Worker:
    """One decoder process and the socket to it."""

    def __init__(self, program: str, kind: str) -> None:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        self.kind, self.socket, self.n_decoded, self.killed = kind, ours, 0, False
        # It needs nothing of our environment, which may hold secrets.
        environment = {
            "PATH": os.environ.get("PATH", os.defpath),
            "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
        }
        environment |= {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
        command = [sys.executable, "-P", "-m", program, str(theirs.fileno()), kind]
        with theirs:
            self.process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                pass_fds=(theirs.fileno(),),
                env=environment,
                cwd="/",
                start_new_session=True,  # so that its ffmpeg is killed with it
            )
        try:
            self.confinement = Confinement(**self._message(time.monotonic() + START_WITHIN_S))
        except (_Died, DecodeError, TypeError) as error:
            self.kill()
            raise DecoderUnavailable(f"the decoder process does not start: {error}") from error

    def decode(self, descriptor: int, limits: DecodeLimits, first_frame: int) -> DecodedAudio:
        deadline = time.monotonic() + limits.timeout_s
        self.n_decoded += 1
        try:
            with os.fdopen(os.memfd_create("samples", os.MFD_CLOEXEC), "r+b") as room:
                request = json.dumps({"limits": asdict(limits), "first_frame": first_frame}).encode()
                socket.send_fds(self.socket, [request], [descriptor, room.fileno()])
                return self._audio(self._message(deadline), room, limits, deadline)
        except ConnectionError:
            raise self._how_it_ended() from None
        except TimeoutError:
            self.kill()
            detail = f"decoding took more than {limits.timeout_s:g} s"
            raise DecodeError("decode_failed", detail) from None

    def kill(self) -> None:
        """End the process and all that it started."""
        if self.killed:
            return
        self.killed = True
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        self.socket.close()

    def _audio(self, fields: dict[str, Any], room: IO[bytes], limits: DecodeLimits, deadline: float) -> DecodedAudio:
        """Build what a message promises; the process may have been taken over, so nothing is taken on trust."""
        if "reason" in fields:
            raise DecodeError(str(fields["reason"])[:40], str(fields.get("detail", ""))[:MOST_DETAIL])
        try:
            rate_hz, n_channels, n_samples = (int(fields[k]) for k in ("sample_rate_hz", "n_channels", "n_samples"))
            format_name = FORMATS[FORMATS.index(fields["format"])]
        except (KeyError, ValueError, TypeError):
            raise _Died("the decoder sent something else than audio") from None
        fits = limits.min_rate_hz <= rate_hz <= limits.max_rate_hz and 1 <= n_channels <= limits.max_channels
        if not fits or not 0 < n_samples <= limits.max_duration_s * rate_hz + 1:
            raise _Died("the decoder sent audio beyond the limits")
        room.truncate(n_samples * BYTES_A_SAMPLE)
        self.socket.sendall(ROOM_IS_MADE)
        self._message(deadline)
        samples = np.fromfile(room, np.float32)  # a copy, which the process cannot change any more
        if samples.size != n_samples or not np.isfinite(samples).all():
            raise _Died("the decoder sent samples that are no numbers")
        return DecodedAudio(samples, rate_hz, n_channels, format_name)

    def _message(self, deadline: float) -> dict[str, Any]:
        head = bytearray(_LENGTH_BYTES)
        self._receive(memoryview(head), deadline)
        length = int.from_bytes(head, "little")
        if length > MOST_MESSAGE_BYTES:
            raise _Died("the decoder sent something else than a message")
        content = bytearray(length)
        self._receive(memoryview(content), deadline)
        try:
            message = json.loads(content)
        except (ValueError, RecursionError):
            message = None
        if not isinstance(message, dict):
            raise _Died("the decoder sent something else than a message")
        return message

    def _receive(self, target: memoryview, deadline: float) -> None:
        """Fill a buffer; raises TimeoutError at the deadline, however slowly bytes drip in."""
        filled = 0
        while filled < len(target):
            self.socket.settimeout(max(deadline - time.monotonic(), 0.001))
            try:
                n_bytes = self.socket.recv_into(target[filled:])
            except ConnectionError:
                n_bytes = 0
            if not n_bytes:
                raise self._how_it_ended()
            filled += n_bytes

    def _how_it_ended(self) -> Exception:
        self.kill()
        status = self.process.returncode
        if -status == signal.SIGXCPU:
            return DecodeError("decode_failed", "decoding took more processor time than a recording may take")
        return _Died(f"the decoder crashed (status {status})")


def _kind_for(head: bytes) -> str:
    return WITH_FFMPEG if audio_format(head) in FFMPEG_FORMATS else _WITHOUT_PROGRAMS


def _in_memory(recording: Path | bytes, max_bytes: int) -> int:
    """Return the descriptor of a file in memory that holds a recording."""
    if isinstance(recording, Path):
        size = recording.stat().st_size
        if size > max_bytes:
            raise DecodeError("too_large", f"{size} bytes; at most {max_bytes} are taken in")
        recording = recording.read_bytes()
    descriptor = os.memfd_create("recording", os.MFD_CLOEXEC)
    with os.fdopen(descriptor, "wb", closefd=False) as file:
        file.write(recording)
    return descriptor


_shared: dict[tuple[int, str], Decoders] = {}
_shared_lock = threading.Lock()


def shared_decoders() -> Decoders:
    """Return the decoders of this process; they end with it."""
    # A forked child must not talk to its parent's decoders; another PATH may have another ffmpeg, or none.
    key = (os.getpid(), os.environ.get("PATH", os.defpath))
    with _shared_lock:
        if key not in _shared:
            _shared[key] = Decoders()
            atexit.register(_shared[key].close)
        return _shared[key]


def decode_apart(recording: Path | bytes, limits: DecodeLimits = DEFAULT_LIMITS, first_frame: int = 0) -> DecodedAudio:
    """Decode a recording in one of this process's decoders; see `Decoders.decode`."""
    return shared_decoders().decode(recording, limits, first_frame)
