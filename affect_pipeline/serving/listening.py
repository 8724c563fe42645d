"""The sound of one stream: chunks in, samples and a running estimate out.

While somebody speaks, audio is scored in pieces of `PIECE_S`; a piece that is complete is scored
once and never again, so the work of a second does not grow with the length of the stream. Pieces
speak for the whole in proportion to the speech in them.
"""

from __future__ import annotations

import io
import math
import struct
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import numpy.typing as npt

from affect_pipeline.serving.analysis import Calibration, estimate, status_of, unusable
from affect_pipeline.serving.problems import Problem

if TYPE_CHECKING:
    from affect_pipeline.journals.decode import DecodedAudio
    from affect_pipeline.model.scorer import JournalScore

RATE_HZ = 16_000
OPUS_RATE_HZ = 48_000
PIECE_S = 10.0
MIN_SPEECH_S = 1.0
MAX_CHUNK_BYTES = 1_000_000
OPUS_PREROLL_FRAMES = 3_840
"""80 ms at 48 kHz: what an Opus decoder needs to converge (RFC 7845, section 4.6)."""

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
    """Pieces of an Ogg Opus file.

    libsndfile decodes from the beginning, or from a little before a place it is sent to; so each
    time only what is new is decoded, after the 80 ms that Opus needs to find its feet. Opening the
    file costs more than decoding, so it waits until half a second is there.
    """

    rate_hz = OPUS_RATE_HZ

    def __init__(self) -> None:
        self._file = bytearray()
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
        import soundfile

        if self._n_pages < 3:  # two pages of headers, one of audio
            return NOTHING
        try:
            with soundfile.SoundFile(io.BytesIO(self._file[: self._n_complete])) as file:
                self.rate_hz = file.samplerate
                start = max(0, self._n_decoded - OPUS_PREROLL_FRAMES)
                file.seek(start)
                frames = file.read(dtype="float32", always_2d=True)
        except soundfile.LibsndfileError as error:
            raise unusable("decode_failed", error.error_string) from None
        new = frames[self._n_decoded - start :].mean(axis=1)
        self._n_decoded += len(new)
        return np.asarray(new, np.float32)


class OpusDecoder:
    """Raw Opus packets, one a chunk, put into Ogg pages for the decoder.

    Parameters
    ----------
    n_channels : int
        Channels of the packets.

    References
    ----------
    RFC 6716 (Opus), RFC 3533 (Ogg), RFC 7845 (Opus in Ogg).
    """

    rate_hz = OPUS_RATE_HZ

    def __init__(self, n_channels: int) -> None:
        head = b"OpusHead" + struct.pack("<BBHIhB", 1, n_channels, 0, OPUS_RATE_HZ, 0, 0)
        tags = b"OpusTags" + struct.pack("<I", 6) + b"affect" + struct.pack("<I", 0)
        self._ogg = OggDecoder()
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


def make_decoder(encoding: str, rate_hz: int, n_channels: int) -> Decoder:
    """Return the decoder of a stream's encoding: ``pcm16``, ``opus`` or ``ogg``."""
    if encoding == "opus":
        return OpusDecoder(n_channels)
    return OggDecoder() if encoding == "ogg" else PcmDecoder(rate_hz, n_channels)


@dataclass(frozen=True)
class Piece:
    """A stretch of the stream, prepared for the model.

    Parameters
    ----------
    index : int
        Which stretch of `PIECE_S` it is.
    prepared : numpy.ndarray
        16 kHz int16, shape (n_samples,).
    """

    index: int
    prepared: npt.NDArray[np.int16]


@dataclass(frozen=True)
class Listened:
    """What was heard since the last time.

    Parameters
    ----------
    speaking : bool
        Whether somebody spoke in the last second.
    speech_s : float
        Seconds of speech so far.
    level_dbfs : float or None
        Level of the last second; None for digital silence.
    pieces : list of Piece
        Stretches to score (again).
    """

    speaking: bool
    speech_s: float
    level_dbfs: float | None
    pieces: list[Piece]


class StreamAudio:
    """The samples of one stream.

    Parameters
    ----------
    decoder : Decoder
        Turns chunks into samples.
    max_s : float
        Longest stream, in seconds.
    """

    def __init__(self, decoder: Decoder, max_s: float) -> None:
        self.decoder, self.max_s = decoder, max_s
        self._parts: list[npt.NDArray[np.int16]] = []  # half the memory of float32, and exact for pcm16
        self._n_samples = 0
        self._speech_s: dict[int, float] = {}
        self._next_piece = 0

    @property
    def duration_s(self) -> float:
        """Seconds of audio so far."""
        return self._n_samples / self.decoder.rate_hz

    def add(self, chunk: bytes) -> None:
        """Take in a chunk.

        Raises
        ------
        Problem
            413 if the chunk or the stream is too long, 422 if it cannot be decoded.
        """
        if len(chunk) > MAX_CHUNK_BYTES:
            raise Problem(413, "too-large", "The chunk is too large", f"At most {MAX_CHUNK_BYTES} bytes at a time.")
        self._take(self.decoder.add(chunk))
        if self.duration_s > self.max_s:
            raise Problem(413, "too-large", "The stream is too long", f"At most {self.max_s:g} s.", reason="too_long")

    def _take(self, samples: Samples) -> None:
        if samples.size:
            self._parts.append(np.clip(np.rint(samples * 32768.0), -32768, 32767).astype(np.int16))
            self._n_samples += samples.size

    def whole(self) -> DecodedAudio:
        """Return everything, as if it had come in one file.

        Raises
        ------
        Problem
            422 if nothing came.
        """
        from affect_pipeline.journals.decode import DecodedAudio

        self._take(self.decoder.rest())
        if not self._n_samples:
            raise unusable("empty_file", "No audio came.")
        return DecodedAudio(_to_float(self._joined()), self.decoder.rate_hz, 1, "wav")

    def listen(self) -> Listened:
        """Look at what came since the last piece was complete."""
        from affect_pipeline.acoustics.preprocessing import normalise, resample, to_int16, trim
        from affect_pipeline.acoustics.vad import speech_segments

        audio = self._joined()
        rate = self.decoder.rate_hz
        size = int(PIECE_S * rate)
        pieces, speaking = [], False
        n_pieces = math.ceil(audio.size / size)
        for index in range(self._next_piece, n_pieces):
            at_16k = resample(_to_float(audio[index * size : (index + 1) * size]), rate)
            segments = speech_segments(at_16k)
            self._speech_s[index] = float((segments[:, 1] - segments[:, 0]).sum()) / RATE_HZ
            speaking = bool(len(segments)) and bool(segments[-1, 1] > at_16k.size - RATE_HZ)
            if self._speech_s[index] >= MIN_SPEECH_S:
                pieces.append(Piece(index, to_int16(normalise(trim(at_16k, segments)))))
        self._next_piece = audio.size // size
        return Listened(speaking, sum(self._speech_s.values()), _level_dbfs(_to_float(audio[-rate:])), pieces)

    def _joined(self) -> npt.NDArray[np.int16]:
        if len(self._parts) > 1:
            self._parts = [np.concatenate(self._parts)]
        return self._parts[0] if self._parts else np.zeros(0, np.int16)


class RunningEstimate:
    """Combines the scores of the pieces heard so far, in proportion to their length."""

    def __init__(self) -> None:
        self._scores: dict[int, tuple[float, JournalScore]] = {}

    @property
    def ready(self) -> bool:
        """Whether enough was said for an estimate."""
        return bool(self._scores)

    def add(self, piece: Piece, score: JournalScore) -> None:
        """Take in the score of a piece; a longer version of the same piece replaces it."""
        self._scores[piece.index] = (piece.prepared.size / RATE_HZ, score)

    def describe(self, model: Calibration) -> dict[str, Any]:
        """Return the estimate so far, with its 95 % intervals."""
        score = self.score(model)
        parts = estimate(score, model)
        return {
            **parts,
            "depression_probability": score.depression_probability,
            "status": status_of(parts["depression"]),
        }

    def score(self, model: Calibration) -> JournalScore:
        """Return the weighted mean of the pieces' scores, and its standard error."""
        seconds = np.array([length for length, _ in self._scores.values()])
        weights = seconds / seconds.sum()
        scores = [score for _, score in self._scores.values()]
        mean = {
            name: float(np.dot(weights, [getattr(score, name) for score in scores]))
            for name in ("depression_logit", "valence", "arousal")
        }
        error = {
            f"{name}_se": float(np.sqrt(np.dot(weights**2, [getattr(score, f"{name}_se") ** 2 for score in scores])))
            for name in mean
        }
        probability = 1.0 / (1.0 + math.exp(-mean["depression_logit"] / model.temperature))
        changed: dict[str, Any] = {**mean, **error, "n_windows": sum(score.n_windows for score in scores)}
        return replace(scores[0], depression_probability=probability, **changed)


def _to_float(samples: npt.NDArray[np.int16]) -> Samples:
    return np.asarray(samples / np.float32(32768.0), np.float32)


def _level_dbfs(samples: Samples) -> float | None:
    power = float(np.mean(samples.astype(np.float64) ** 2)) if samples.size else 0.0
    return round(10 * math.log10(power), 1) if power > 0 else None


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
