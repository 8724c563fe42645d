"""The child process that decodes recordings: started by `journals.sandbox`, never by hand.

It gives up the network, the file system and most of what else a process can do, then answers one request after the
other: a recording comes as the descriptor of a file in memory, samples go back in another one. It ends when its parent
does. A decoder either reads formats itself, and can start no programs, or has ffmpeg read the others.
"""

from __future__ import annotations

import json
import mmap
import os
import socket
import sys
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import soundfile  # noqa: F401  # loaded while libraries can still be

from affect_pipeline.errors import DecodeError
from affect_pipeline.journals.confine import WITH_FFMPEG, confine, limit_this_file, program_files
from affect_pipeline.journals.decode import DecodedAudio, DecodeLimits, decode

MOST_REQUEST_BYTES = 4096
LENGTH_BYTES = 8
ROOM_IS_MADE = b"!"

Decode = Callable[[Path, DecodeLimits, int], DecodedAudio]


def main(descriptor: int, kind: str, decoder: Decode = decode) -> None:
    """Answer requests on a socket until it is closed.

    Parameters
    ----------
    descriptor : int
        The socket.
    kind : str
        `WITH_FFMPEG` if it may start programs; anything else if not.
    decoder : callable
        Decodes; only tests give another.
    """
    parent = socket.socket(fileno=descriptor)
    _send(parent, asdict(confine(program_files(), programs=kind == WITH_FFMPEG)))
    while True:
        request, descriptors, _, _ = socket.recv_fds(parent, MOST_REQUEST_BYTES, 2)
        if not request:
            return
        recording, target = descriptors
        try:
            asked = json.loads(request)
            _answer(parent, decoder, recording, target, DecodeLimits(**asked["limits"]), asked["first_frame"])
        finally:
            os.close(recording)
            os.close(target)


def _answer(
    parent: socket.socket,
    decoder: Decode,
    recording: int,
    target: int,
    limits: DecodeLimits,
    first_frame: int,
) -> None:
    limit_this_file(limits.max_memory_bytes, limits.max_cpu_s)
    try:
        audio = decoder(Path(f"/proc/self/fd/{recording}"), limits, first_frame)
    except DecodeError as error:
        _send(parent, {"reason": error.reason, "detail": error.detail})
    except MemoryError:
        _send(parent, {"reason": "decode_failed", "detail": _over_memory(limits)})
    except OSError as error:  # ffmpeg is started under the same limits
        _send(parent, {"reason": "decode_failed", "detail": f"the decoder was stopped ({type(error).__name__})"})
    else:
        _send_audio(parent, target, audio)


def _over_memory(limits: DecodeLimits) -> str:
    return f"decoding takes more than the {limits.max_memory_bytes >> 20} MiB of memory that a recording may take"


def _send_audio(parent: socket.socket, target: int, audio: DecodedAudio) -> None:
    """Say how much audio there is, wait until the parent has made room for it, and copy it there."""
    fields = {"sample_rate_hz": audio.sample_rate_hz, "n_channels": audio.n_channels, "format": audio.format}
    _send(parent, fields | {"n_samples": int(audio.samples.size)})
    if parent.recv(1) == ROOM_IS_MADE:
        with mmap.mmap(target, audio.samples.nbytes) as room:
            room[:] = np.ascontiguousarray(audio.samples, np.float32).data.cast("B")
        _send(parent, {})


def _send(parent: socket.socket, message: dict[str, Any]) -> None:
    content = json.dumps(message).encode()
    parent.sendall(len(content).to_bytes(LENGTH_BYTES, "little") + content)


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2])
