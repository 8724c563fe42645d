"""What happens to a voice on its way to us: rooms, microphones, noise, codecs, other throats.

All functions take and return mono float32 at 16 kHz and draw from the generator they are given, so an augmented
batch is a function of its seed.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.signal import fftconvolve

SAMPLE_RATE_HZ = 16_000
Audio = NDArray[np.float32]


@dataclass(frozen=True)
class AugmentPlan:
    """Chances and ranges of each change; the defaults are those of the shipped model."""

    noise: float = 0.5
    noise_snr_db: tuple[float, float] = (5.0, 30.0)
    reverberation: float = 0.3
    decay_s: tuple[float, float] = (0.1, 0.6)
    channel: float = 0.5
    telephone: float = 0.12
    clip: float = 0.1
    speed: float = 0.5
    speed_range: tuple[float, float] = (0.85, 1.18)


def augment(samples: Audio, rng: np.random.Generator, plan: AugmentPlan, other: Audio | None = None) -> Audio:
    """Return what a device might have recorded of a voice; the length stays.

    Parameters
    ----------
    samples : ndarray
        The clean voice, shape (n,).
    rng : numpy.random.Generator
        Source of all draws.
    plan : AugmentPlan
        Chances and ranges.
    other : ndarray, optional
        Another recording, sometimes used as background speech.
    """
    out = samples
    if rng.random() < plan.reverberation:
        out = reverberate(out, rng, rng.uniform(*plan.decay_s))
    if rng.random() < plan.noise:
        background = other if other is not None and rng.random() < 0.25 else coloured_noise(out.size, rng)
        out = mix(out, background, rng.uniform(*plan.noise_snr_db) + (5.0 if background is other else 0.0))
    if rng.random() < plan.channel:
        out = colour(out, rng)
    if rng.random() < plan.clip:
        limit = np.quantile(np.abs(out), rng.uniform(0.97, 0.999)) + 1e-6
        out = np.clip(out, -limit, limit)
    if rng.random() < plan.telephone:
        out = telephone(out)
    return np.asarray(out, np.float32)


def change_speed(samples: Audio, factor: float) -> Audio:
    """Play faster by ``factor``: pitch and formants rise by it, the length shrinks by it.

    Linear interpolation: what it loses lies above the frequencies that carry affect, and it is cheap.
    """
    n = int(samples.size / factor)
    return np.asarray(np.interp(np.arange(n) * factor, np.arange(samples.size), samples), np.float32)


def reverberate(samples: Audio, rng: np.random.Generator, decay_s: float) -> Audio:
    """Convolve with a synthetic room: a direct path and an exponential tail of noise (60 dB in ``decay_s``)."""
    n = int(decay_s * SAMPLE_RATE_HZ)
    tail = rng.standard_normal(n) * 10 ** (-3 * np.arange(n) / n)
    response = tail * (rng.uniform(0.2, 1.0) / np.sqrt(np.sum(tail**2) + 1e-9))
    response[0] = 1.0
    return np.asarray(fftconvolve(samples, response)[: samples.size], np.float32)


def coloured_noise(n: int, rng: np.random.Generator) -> Audio:
    """Return noise whose spectrum falls by 0 to 6 dB per octave."""
    spectrum = np.fft.rfft(rng.standard_normal(n))
    spectrum *= np.maximum(np.arange(spectrum.size), 1 + n // 400) ** (-rng.uniform(0.0, 1.0))
    return np.asarray(np.fft.irfft(spectrum, n), np.float32)


def mix(samples: Audio, background: Audio, snr_db: float) -> Audio:
    """Add a background, looped or cut to length, at a signal-to-noise ratio in dB."""
    fitted = np.resize(background, samples.size)
    ratio = np.sqrt(np.mean(samples**2) / (np.mean(fitted**2) + 1e-12)) * 10 ** (-snr_db / 20)
    return np.asarray(samples + ratio * fitted, np.float32)


def colour(samples: Audio, rng: np.random.Generator) -> Audio:
    """Apply a random smooth frequency response (sd 4 dB) and band limits, as microphones and codecs do."""
    spectrum = np.fft.rfft(samples)
    hz = np.linspace(0, SAMPLE_RATE_HZ / 2, spectrum.size)
    gain_db = np.interp(np.log2(hz + 50), np.linspace(5.6, 13.0, 8), rng.normal(0, 4.0, 8))
    low, high = rng.uniform(20, 200), rng.choice([3800.0, 5500.0, 7000.0, 8000.0])
    gain_db -= 24 * np.clip(np.log2(low / (hz + 1)), 0, None) + 60 * np.clip(np.log2((hz + 1) / high), 0, 1)
    return np.asarray(np.fft.irfft(spectrum * 10 ** (gain_db / 20), samples.size), np.float32)


def telephone(samples: Audio) -> Audio:
    """Pass through a telephone: 300 to 3400 Hz and eight bits of mu-law (ITU-T G.711)."""
    spectrum = np.fft.rfft(samples)
    hz = np.linspace(0, SAMPLE_RATE_HZ / 2, spectrum.size)
    narrow = np.fft.irfft(spectrum * ((hz > 300) & (hz < 3400)), samples.size)
    peak = np.max(np.abs(narrow)) + 1e-9
    code = np.round(np.sign(narrow) * np.log1p(255 * np.abs(narrow) / peak) / np.log(256) * 127) / 127
    return np.asarray(np.sign(code) * (256 ** np.abs(code) - 1) / 255 * peak, np.float32)
