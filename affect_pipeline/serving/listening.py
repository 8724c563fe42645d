"""The sound of one stream: chunks in, samples and a running estimate out.

While somebody speaks, audio is scored in pieces of `PIECE_S`; a piece that is complete is scored
once and never again, so the work of a second does not grow with the length of the stream. Pieces
speak for the whole in proportion to the speech in them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from affect_pipeline.serving.analysis import Calibration, estimate, status_of, unusable
from affect_pipeline.serving.problems import Problem
from affect_pipeline.serving.stream_decoders import MAX_CHUNK_BYTES, Decoder, Samples, to_float

if TYPE_CHECKING:
    from affect_pipeline.journals.decode import DecodedAudio
    from affect_pipeline.model.scorer import JournalScore

RATE_HZ = 16_000
PIECE_S = 10.0
MIN_SPEECH_S = 1.0


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
        return DecodedAudio(to_float(self._joined()), self.decoder.rate_hz, 1, "wav")

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
            at_16k = resample(to_float(audio[index * size : (index + 1) * size]), rate)
            segments = speech_segments(at_16k)
            self._speech_s[index] = float((segments[:, 1] - segments[:, 0]).sum()) / RATE_HZ
            speaking = bool(len(segments)) and bool(segments[-1, 1] > at_16k.size - RATE_HZ)
            if self._speech_s[index] >= MIN_SPEECH_S:
                pieces.append(Piece(index, to_int16(normalise(trim(at_16k, segments)))))
        self._next_piece = audio.size // size
        return Listened(speaking, sum(self._speech_s.values()), _level_dbfs(to_float(audio[-rate:])), pieces)

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


def _level_dbfs(samples: Samples) -> float | None:
    power = float(np.mean(samples.astype(np.float64) ** 2)) if samples.size else 0.0
    return round(10 * math.log10(power), 1) if power > 0 else None
