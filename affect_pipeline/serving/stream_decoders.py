"""From the chunks of a stream to samples: PCM, Ogg pages, and bare Opus packets."""

from __future__ import annotations

import struct
from typing import Protocol

import numpy as np
import numpy.typing as npt

from affect_pipeline.errors import DecodeError
from affect_pipeline.serving.analysis import unusable

OPUS_RATE_HZ = 48_000
MAX_CHUNK_BYTES = 1_000_000
OPUS_PREROLL_FRAMES = 3_840
"""80 ms at 48 kHz: what an Opus decoder needs to converge (RFC 7845, section 4.6)."""

SLACK_S = 60.0
"""What a stream may hold beyond its limit without being taken for broken: it is too long, and is told so."""

TIMEOUT_S = 10.0
"""Longest time for what came in half a second."""

Samples = npt.NDArray[np.float32]
NOTHING: Samples = np.zeros(0, np.float32)


class Decoder(Protocol):
    """Turns chunks into samples."""

    rate_hz: int

    def add(self, chunk: bytes) -> Samples:
        """Return mono samples that have become complete."""
        ...

    def rest(self) -> Samples:
        """Return what is left when the stream has ended."""
        ...


class PcmDecoder:
    """Little-endian 16-bit samples; of several channels, the mean.

    Parameters
    ----------
    rate_hz : int
        Sampling rate.
    n_channels : int
        Interleaved channels.
    """

    def __init__(self, rate_hz: int, n_channels: int) -> None:
        self.rate_hz, self.n_channels, self._rest = rate_hz, n_channels, b""

    def add(self, chunk: bytes) -> Samples:
        """Return the samples of a chunk; a frame cut in two waits for its other half."""
        data = self._rest + chunk
        whole = len(data) // (2 * self.n_channels) * (2 * self.n_channels)
        self._rest = data[whole:]
        frames = np.frombuffer(data[:whole], "<i2").reshape(-1, self.n_channels)
        return np.asarray(frames.mean(axis=1) / 32768.0, np.float32)

    def rest(self) -> Samples:
        """Return nothing: all whole frames have been returned."""
        return NOTHING


class OggDecoder:
    """Pieces of an Ogg Opus file, decoded in a process of its own (`journals.sandbox`).

    Each time only what is new is decoded, after the 80 ms that Opus needs to find its feet. Handing
    the file over costs more than decoding, so it waits until half a second is there.

    Parameters
    ----------
    max_s : float
        Longest stream, in seconds.
    """

    rate_hz = OPUS_RATE_HZ

    def __init__(self, max_s: float) -> None:
        self._file, self._max_s = bytearray(), max_s
        self._n_complete = self._n_pages = self._position = self._n_decoded = 0

    def add(self, chunk: bytes) -> Samples:
        """Return the samples that have become complete, once they are worth decoding."""
        self._file += chunk
        while (size := _page_size(self._file, self._n_complete)) is not None:
            header = self._file[self._n_complete : self._n_complete + 14]
            self._position = int.from_bytes(header[6:14], "little", signed=True)
            self._n_complete += size
            self._n_pages += 1
        return self._decode() if self._position - self._n_decoded >= OPUS_RATE_HZ // 2 else NOTHING

    def rest(self) -> Samples:
        """Return what was not worth decoding before the end."""
        return self._decode()

    def _decode(self) -> Samples:
        from affect_pipeline.journals.decode import DecodeLimits
        from affect_pipeline.journals.sandbox import decode_apart

        if self._n_pages < 3:  # two pages of headers, one of audio
            return NOTHING
        start = max(0, self._n_decoded - OPUS_PREROLL_FRAMES)
        limits = DecodeLimits(max_duration_s=self._max_s + SLACK_S, max_channels=2, timeout_s=TIMEOUT_S)
        try:
            decoded = decode_apart(bytes(self._file[: self._n_complete]), limits, start)
        except DecodeError as error:
            raise unusable(error.reason, error.detail) from None
        self.rate_hz = decoded.sample_rate_hz
        new = decoded.samples[self._n_decoded - start :]
        self._n_decoded += len(new)
        return new


class OpusDecoder:
    """Raw Opus packets, one a chunk, put into Ogg pages for the decoder.

    Parameters
    ----------
    n_channels : int
        Channels of the packets.
    max_s : float
        Longest stream, in seconds.

    References
    ----------
    RFC 6716 (Opus), RFC 3533 (Ogg), RFC 7845 (Opus in Ogg).
    """

    rate_hz = OPUS_RATE_HZ

    def __init__(self, n_channels: int, max_s: float) -> None:
        head = b"OpusHead" + struct.pack("<BBHIhB", 1, n_channels, 0, OPUS_RATE_HZ, 0, 0)
        tags = b"OpusTags" + struct.pack("<I", 6) + b"affect" + struct.pack("<I", 0)
        self._ogg = OggDecoder(max_s)
        self._n_pages, self._position = 0, 0
        self._ogg.add(self._page(head, first=True) + self._page(tags))

    def add(self, chunk: bytes) -> Samples:
        """Return the samples of a packet."""
        if not chunk:
            return NOTHING
        self._position += packet_samples(chunk)
        return self._ogg.add(self._page(chunk))

    def rest(self) -> Samples:
        """Return what was not worth decoding before the end."""
        return self._ogg.rest()

    def _page(self, packet: bytes, first: bool = False) -> bytes:
        n_full, rest = divmod(len(packet), 255)
        if n_full >= 255:
            raise unusable("decode_failed", "An Opus packet is larger than a page can hold.")
        header = struct.pack(
            "<4sBBQIIIB", b"OggS", 0, 2 if first else 0, self._position, 1, self._n_pages, 0, n_full + 1
        )
        page = header + b"\xff" * n_full + bytes([rest]) + packet
        self._n_pages += 1
        return page[:22] + struct.pack("<I", ogg_checksum(page)) + page[26:]


def packet_samples(packet: bytes) -> int:
    """Return how many samples at 48 kHz an Opus packet holds (RFC 6716, section 3.1).

    Raises
    ------
    Problem
        422 if it is not a packet.
    """
    config, code = packet[0] >> 3, packet[0] & 3
    if config < 12:
        frame = (480, 960, 1920, 2880)[config % 4]
    elif config < 16:
        frame = (480, 960)[config % 2]
    else:
        frame = (120, 240, 480, 960)[config % 4]
    n_frames = 1 if code == 0 else 2
    if code == 3:
        n_frames = packet[1] & 63 if len(packet) > 1 else 0
    if not 0 < n_frames * frame <= 5760:
        raise unusable("decode_failed", "A chunk is not an Opus packet.")
    return n_frames * frame


def ogg_checksum(page: bytes) -> int:
    """Return the CRC of an Ogg page whose checksum field is zero (RFC 3533, section 6)."""
    crc = 0
    for byte in page:
        crc = ((crc << 8) & 0xFFFFFFFF) ^ _CRC_TABLE[(crc >> 24) ^ byte]
    return crc


def make_decoder(encoding: str, rate_hz: int, n_channels: int, max_s: float) -> Decoder:
    """Return the decoder of a stream's encoding: ``pcm16``, ``opus`` or ``ogg``."""
    if encoding == "opus":
        return OpusDecoder(n_channels, max_s)
    return OggDecoder(max_s) if encoding == "ogg" else PcmDecoder(rate_hz, n_channels)


def to_float(samples: npt.NDArray[np.int16]) -> Samples:
    """Return samples in [-1, 1)."""
    return np.asarray(samples / np.float32(32768.0), np.float32)


def _page_size(data: bytearray, start: int) -> int | None:
    """Return the size of the Ogg page that begins at `start`, or None while it is not all there."""
    if not b"OggS".startswith(data[start : start + 4]):
        raise unusable("decode_failed", "A page does not begin where the one before ends.")
    if len(data) < start + 27:
        return None
    n_segments = data[start + 26]
    lacing = data[start + 27 : start + 27 + n_segments]
    size = 27 + n_segments + sum(lacing)
    return size if len(lacing) == n_segments and len(data) >= start + size else None


def _crc_table() -> list[int]:
    table = []
    for byte in range(256):
        crc = byte << 24
        for _ in range(8):
            crc = ((crc << 1) ^ 0x04C11DB7 if crc & 0x80000000 else crc << 1) & 0xFFFFFFFF
        table.append(crc)
    return table


_CRC_TABLE = _crc_table()
