"""Speech-like audio with known properties, made by a small source-filter synthesiser."""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import soundfile as sf
from scipy.signal import lfilter

Samples = npt.NDArray[np.float32]

RATE_HZ = 16_000
VOWELS_HZ = ((730, 1090, 2440), (270, 2290, 3010), (300, 870, 2240), (530, 1840, 2480), (570, 840, 2410))
"""First three formants of five vowels (Peterson & Barney, 1952, men)."""

BANDWIDTHS_HZ = (90, 110, 170)


@dataclass(frozen=True)
class Voice:
    """What a synthesised recording is to sound like.

    Parameters
    ----------
    duration_s : float
        Length.
    f0_hz : float
        Pitch around which the melody moves.
    f0_sd_st : float
        Standard deviation of the melody, in semitones.
    syllables_per_s : float
        Vowels in each second of speech.
    pauses : sequence of (float, float)
        Start and length of silences, in seconds.
    level_dbfs : float
        RMS of the speech.
    snr_db : float or None
        White noise under it; None for a faint one, 60 dB below the speech.
    seed : int
        Vowels, melody and noise.
    """

    duration_s: float = 6.0
    f0_hz: float = 120.0
    f0_sd_st: float = 2.0
    syllables_per_s: float = 4.0
    pauses: Sequence[tuple[float, float]] = ()
    level_dbfs: float = -23.0
    snr_db: float | None = None
    seed: int = 0


def speech(voice: Voice = Voice(), rate_hz: int = RATE_HZ) -> Samples:
    """Return speech-like audio, shape (duration_s * rate_hz,)."""
    import soxr

    rng = np.random.default_rng(voice.seed)
    time_s = np.arange(int(voice.duration_s * RATE_HZ)) / RATE_HZ
    spoken = np.ones(time_s.size, bool)
    for start_s, length_s in voice.pauses:
        spoken &= ~((time_s >= start_s) & (time_s < start_s + length_s))
    sound = _vowels(_source(time_s, voice), voice, rng) * _syllables(time_s, voice)
    sound += _consonants(time_s, voice, rng)
    fade = np.convolve(spoken, np.hanning(401) / np.hanning(401).sum(), mode="same")
    sound *= fade * 10 ** (voice.level_dbfs / 20) / np.sqrt(np.mean(sound[spoken] ** 2))
    noise = rng.standard_normal(time_s.size)
    snr_db = 60.0 if voice.snr_db is None else voice.snr_db
    mixed = sound + noise * 10 ** ((voice.level_dbfs - snr_db) / 20)
    return np.asarray(soxr.resample(mixed.astype(np.float32), RATE_HZ, rate_hz), np.float32)


def melody_st(time_s: npt.NDArray[np.float64], voice: Voice) -> npt.NDArray[np.float64]:
    """Return the melody in semitones from f0_hz: a slow sum of sines with the wanted SD."""
    curve = np.sin(2 * np.pi * 0.41 * time_s + voice.seed) + np.sin(2 * np.pi * 0.73 * time_s + 1)
    return np.asarray(voice.f0_sd_st * (curve - curve.mean()) / curve.std())


def _source(time_s: npt.NDArray[np.float64], voice: Voice) -> npt.NDArray[np.float64]:
    """Return glottal pulses: a train of impulses, softened by 12 dB an octave."""
    f0_hz = voice.f0_hz * 2 ** (melody_st(time_s, voice) / 12)
    phase = np.cumsum(f0_hz) / RATE_HZ
    pulses = np.diff(np.floor(phase), prepend=0.0)
    return np.asarray(lfilter([1.0], [1.0, -1.9, 0.9025], pulses - pulses.mean()))


def _vowels(source: npt.NDArray[np.float64], voice: Voice, rng: np.random.Generator) -> npt.NDArray[np.float64]:
    """Filter the source by a row of vowels, one a syllable."""
    length = int(RATE_HZ / voice.syllables_per_s)
    sound = np.zeros_like(source)
    order = rng.permutation(np.arange(-(-source.size // length)) % len(VOWELS_HZ))
    filtered = [_formants(source, vowel) for vowel in VOWELS_HZ]
    for index, vowel in enumerate(order):
        part = slice(index * length, (index + 1) * length)
        sound[part] = filtered[vowel][part]
    return sound


def _formants(source: npt.NDArray[np.float64], vowel: Sequence[float]) -> npt.NDArray[np.float64]:
    for centre_hz, width_hz in zip(vowel, BANDWIDTHS_HZ, strict=True):
        radius = np.exp(-np.pi * width_hz / RATE_HZ)
        source = lfilter([1.0], [1.0, -2 * radius * np.cos(2 * np.pi * centre_hz / RATE_HZ), radius**2], source)
    sound = np.diff(source, prepend=0.0)
    return np.asarray(sound / np.sqrt(np.mean(sound**2)))


def _syllables(time_s: npt.NDArray[np.float64], voice: Voice) -> npt.NDArray[np.float64]:
    """Return the envelope: one hump a syllable, 20 dB deep between them."""
    return np.asarray(0.1 + 0.9 * np.sin(np.pi * voice.syllables_per_s * time_s) ** 2)


def _consonants(time_s: npt.NDArray[np.float64], voice: Voice, rng: np.random.Generator) -> npt.NDArray[np.float64]:
    """Return a hiss above 2 kHz between syllables, 14 dB below the vowels: the detector wants some."""
    hiss = lfilter([1.0, -1.0], [1.0, 0.5], rng.standard_normal(time_s.size))
    return np.asarray(0.2 * hiss / hiss.std() * np.cos(np.pi * voice.syllables_per_s * time_s) ** 16)


def encode(samples: npt.NDArray[Any], rate_hz: int = RATE_HZ, kind: str = "WAV", subtype: str | None = None) -> bytes:
    """Return samples as the bytes of an audio file."""
    buffer = io.BytesIO()
    sf.write(buffer, samples, rate_hz, format=kind, subtype=subtype)
    return buffer.getvalue()


def sidecar(**changes: Any) -> bytes:
    """Return a sidecar; ``None`` leaves a field out."""
    fields: dict[str, Any] = {
        "recorded_at": "2026-01-05T08:12:00+01:00",
        "time_zone": "Europe/Berlin",
        "device": "Pixel 8",
        "prompt": "How was your day?",
        "language": "de",
        "clinic": "north",
        "consent": True,
    }
    fields |= changes
    return json.dumps({name: value for name, value in fields.items() if value is not None}).encode()


def deliver(root: Path, night: str, source_id: str, name: str, audio: bytes, description: bytes | None) -> Path:
    """Put a recording, and a sidecar if there is one, into a landing zone."""
    path = root / night / source_id / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(audio)
    if description is not None:
        path.with_suffix(".json").write_bytes(description)
    return path
