"""The limits of the web service, in one place."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class ServingOptions:
    """How much the service takes on at once, and for how long.

    Parameters
    ----------
    max_upload_bytes : int
        Largest request body of an upload, in bytes; a larger one is refused before it is read.
    max_analysed_s : float
        Longest recording that is analysed live, in seconds.
    max_pending : int
        Recordings that may wait for the model; one more is answered with 503.
    max_batch : int
        Recordings that go through the model together.
    max_decoding : int
        Recordings that are decoded and measured at the same time.
    retry_after_s : int
        What a refused client is told to wait, in seconds.
    max_streams : int
        WebSocket streams that may be open at once.
    stream_max_s : float
        Longest stream, in seconds of audio.
    stream_idle_s : float
        A stream that sends nothing for this long is closed.
    session_s : int
        How long a login lasts, in seconds.
    secure_cookies : bool
        Send cookies over HTTPS only. Off for a service on localhost.
    """

    max_upload_bytes: int = 25_000_000
    max_analysed_s: float = 300.0
    max_pending: int = 64
    max_batch: int = 16
    max_decoding: int = 2
    retry_after_s: int = 2
    max_streams: int = 256
    stream_max_s: float = 300.0
    stream_idle_s: float = 60.0
    session_s: int = 12 * 3600
    secure_cookies: bool = False
