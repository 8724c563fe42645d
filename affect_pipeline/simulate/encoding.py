"""Writing recordings as audio files whose bytes depend on the sound alone."""

from __future__ import annotations

import hashlib
import io
import struct
import zlib

import numpy as np
from numpy.typing import NDArray

from affect_pipeline.simulate.devices import Device

_HEADER_BYTES, _SERIAL_AT, _CHECKSUM_AT = 27, 14, 22
"""The header of an Ogg page up to its segment table (RFC 3533, section 6)."""

_REVERSED = bytes(int(f"{value:08b}"[::-1], 2) for value in range(256))


def encode(samples: NDArray[np.float32], device: Device) -> bytes:
    """Return the recording as a file of the phone's format.

    Parameters
    ----------
    samples : NDArray[float32]
        Mono samples within [-1, 1] at the phone's sampling rate, shape (n,).
    device : Device
        The phone.

    Returns
    -------
    bytes
        The same bytes for the same samples.
    """
    import soundfile

    file = io.BytesIO()
    soundfile.write(file, samples, device.sample_rate_hz, format=device.container, subtype=device.subtype)
    content = file.getvalue()
    return with_fixed_serial(content) if device.container == "OGG" else content


def with_fixed_serial(ogg: bytes) -> bytes:
    """Give an Ogg file with one stream a serial number made from its content.

    Encoders draw the serial number at random, so two encodings of one sound differ in it, and in
    the checksum of every page.

    Parameters
    ----------
    ogg : bytes
        A whole Ogg file.

    Raises
    ------
    ValueError
        If the bytes are not a sequence of Ogg pages.
    """
    content = bytearray(ogg)
    pages = _pages(ogg)
    for start, _ in pages:
        content[start + _SERIAL_AT : start + _SERIAL_AT + 4] = bytes(4)
        content[start + _CHECKSUM_AT : start + _CHECKSUM_AT + 4] = bytes(4)
    serial = hashlib.sha256(content).digest()[:4]
    for start, end in pages:
        content[start + _SERIAL_AT : start + _SERIAL_AT + 4] = serial
        content[start + _CHECKSUM_AT : start + _CHECKSUM_AT + 4] = struct.pack("<I", ogg_checksum(content[start:end]))
    return bytes(content)


def ogg_checksum(page: bytes | bytearray) -> int:
    """Return the checksum of an Ogg page whose checksum field is zero.

    It is the CRC-32 of zlib with the bits of each byte in the other order, started from zero and
    not inverted at the end (RFC 3533, section 6).
    """
    reflected = zlib.crc32(page.translate(_REVERSED), 0xFFFFFFFF) ^ 0xFFFFFFFF
    return int.from_bytes(reflected.to_bytes(4, "little").translate(_REVERSED), "big")


def _pages(ogg: bytes) -> list[tuple[int, int]]:
    """Return where each page starts and ends."""
    pages, start = [], 0
    while start < len(ogg):
        if len(ogg) - start < _HEADER_BYTES or ogg[start : start + 4] != b"OggS":
            raise ValueError(f"no Ogg page at byte {start}")
        body = start + _HEADER_BYTES + ogg[start + _HEADER_BYTES - 1]
        end = body + sum(ogg[start + _HEADER_BYTES : body])
        if end > len(ogg):
            raise ValueError(f"the Ogg page at byte {start} is cut short")
        pages.append((start, end))
        start = end
    return pages
