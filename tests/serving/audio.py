"""Audio files for the tests, made in memory."""

from __future__ import annotations

import io

import numpy as np
import numpy.typing as npt
import soundfile


def wav(samples: npt.NDArray[np.float32], rate_hz: int = 16_000) -> bytes:
    """Return a 16-bit WAV file."""
    out = io.BytesIO()
    soundfile.write(out, samples, rate_hz, subtype="PCM_16", format="WAV")
    return out.getvalue()


def ogg_opus(samples: npt.NDArray[np.float32], rate_hz: int = 16_000) -> bytes:
    """Return an Ogg Opus file."""
    out = io.BytesIO()
    soundfile.write(out, samples, rate_hz, format="OGG", subtype="OPUS")
    return out.getvalue()


def opus_packets(ogg: bytes) -> list[bytes]:
    """Return the audio packets of an Ogg Opus file (RFC 3533), without its two headers."""
    packets: list[bytes] = []
    begun = b""
    position = 0
    while position < len(ogg):
        n_segments = ogg[position + 26]
        table = ogg[position + 27 : position + 27 + n_segments]
        data = position + 27 + n_segments
        for lace in table:
            begun += ogg[data : data + lace]
            data += lace
            if lace < 255:
                packets.append(begun)
                begun = b""
        position = data
    return packets[2:]
