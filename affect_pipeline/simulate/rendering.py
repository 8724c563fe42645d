"""From the plan of a journal to the sound that a phone recorded."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from affect_pipeline.simulate.cohort import Fault, JournalPlan, Room
from affect_pipeline.simulate.devices import Device
from affect_pipeline.simulate.sources import SOURCE_RATE_HZ, VoiceSource

CLIPPING_DRIVE_DB = 34.0
"""Overdrive of a clipped recording; well over 5 % of its samples end at full scale."""

SILENT_LEVEL_DBFS = -70.0
NOISY_SNR_DB = 5.0
GAIN_CONTROL = 0.7
"""Share of the differences in level (in dB) that the phone's gain control takes away."""

PEAK = 0.97
"""Largest sample of a recording that is not clipped."""

PINK_ABOVE_HZ = 40.0
HUM_HZ, HUM_DB = 50.0, 30.0
"""Background: pink noise above the first frequency; mains hum that stands out of it by so much."""


def render(journal: JournalPlan, source: VoiceSource) -> NDArray[np.float32]:
    """Return the recording of a journal at its phone's sampling rate.

    Utterances are joined with pauses, put into the room, filtered by the phone, mixed with the
    background and set to the phone's level. Faults of the sound itself (clipped, silent, noisy) are
    made here; faults of the file are made when it is written.

    Parameters
    ----------
    journal : JournalPlan
        What to record.
    source : VoiceSource
        The voices.

    Returns
    -------
    NDArray[float32]
        Mono samples within [-1, 1], shape (n,).
    """
    random = np.random.default_rng((journal.seed, 5))
    dry = _speech(journal, source)
    sound = _recorded(dry, journal, random)
    if journal.fault is Fault.CLIPPED:
        sound *= 10 ** (CLIPPING_DRIVE_DB / 20)
    return _at_rate(sound, journal.device.sample_rate_hz)


def _speech(journal: JournalPlan, source: VoiceSource) -> NDArray[np.float32]:
    """Join utterances with pauses until the journal is long enough."""
    gaps: list[NDArray[np.float32]] = []
    said: list[NDArray[np.float32]] = []
    for gap_s, utterance in zip(journal.gaps_s, journal.utterances, strict=True):
        gaps.append(np.zeros(round(gap_s * SOURCE_RATE_HZ), np.float32))
        said.append(source.load(utterance))
        if sum(part.size for part in (*gaps, *said)) >= journal.length_s * SOURCE_RATE_HZ:
            break
    pairs = zip(gaps, _evened(said), strict=True)
    return np.concatenate([*(part for pair in pairs for part in pair), gaps[-1]])


def _evened(said: list[NDArray[np.float32]]) -> list[NDArray[np.float32]]:
    """Bring utterances closer to one level, as the automatic gain control of every phone does.

    Without it an actor's shout would leave the calm speech beside it too quiet to be heard.
    """
    levels = np.array([max(float(np.sqrt(np.square(one).mean())), 1e-6) for one in said])
    gains = (np.exp(np.log(levels).mean()) / levels) ** GAIN_CONTROL
    return [one * np.float32(gain) for one, gain in zip(said, gains, strict=True)]


def _recorded(dry: NDArray[np.float32], journal: JournalPlan, random: np.random.Generator) -> NDArray[np.float64]:
    """Put dry speech into the room, add the background, and hear both through the phone.

    Speech and background are levelled and mixed as spectra: one transform each way.
    """
    n_fft = _fast_length(dry.size + round(journal.patient.room.rt60_s * SOURCE_RATE_HZ))
    phone = _response(journal.device, n_fft)
    speech = np.fft.rfft(dry, n_fft) * _room_response(journal.patient.room, n_fft) * phone
    floor = _background(n_fft, random) * phone
    level_dbfs = journal.device.level_dbfs + journal.gain_db
    snr_db = NOISY_SNR_DB if journal.fault is Fault.NOISY else journal.snr_db
    speech *= 10 ** (level_dbfs / 20) / _rms(speech, dry.size)
    floor *= 10 ** ((level_dbfs - snr_db) / 20) / _rms(floor, n_fft)
    if journal.fault is Fault.SILENT:
        speech[:] = 0.0
        floor *= 10 ** ((SILENT_LEVEL_DBFS - level_dbfs + snr_db) / 20)
    mixed = np.fft.irfft(speech + floor, n_fft)[: dry.size]
    return np.asarray(mixed * min(1.0, PEAK / np.abs(mixed).max()), np.float64)


@lru_cache(maxsize=32)
def _room_response(room: Room, n_fft: int) -> NDArray[np.complex128]:
    return np.asarray(np.fft.rfft(_impulse_response(room), n_fft), np.complex128)


@lru_cache(maxsize=4)
def _impulse_response(room: Room) -> NDArray[np.float64]:
    """Return direct sound and exponentially decaying noise, the simplest diffuse room."""
    random = np.random.default_rng(room.seed)
    n = round(room.rt60_s * SOURCE_RATE_HZ)
    times_s = np.arange(n) / SOURCE_RATE_HZ
    tail = random.standard_normal(n) * 10 ** (-3 * times_s / room.rt60_s)
    tail[: SOURCE_RATE_HZ // 500] = 0.0
    tail *= 10 ** (-room.direct_to_reverberant_db / 20) / np.sqrt(np.square(tail).sum())
    tail[0] = 1.0
    return tail


@lru_cache(maxsize=64)
def _response(device: Device, n_fft: int) -> NDArray[np.float64]:
    """Return the phone's gain at each frequency: second-order edges and a tilt around 1 kHz."""
    frequencies = np.maximum(np.fft.rfftfreq(n_fft, 1 / SOURCE_RATE_HZ), 1.0)
    low = 1 / np.sqrt(1 + (device.low_hz / frequencies) ** 4)
    high = 1 / np.sqrt(1 + (frequencies / device.high_hz) ** 16)
    tilt = 10 ** (device.tilt_db_per_octave * np.log2(frequencies / 1000.0) / 20)
    return np.asarray(low * high * tilt, np.float64)


def _background(n_fft: int, random: np.random.Generator) -> NDArray[np.complex128]:
    """Return the spectrum of a room's background: pink noise with a little mains hum on top."""
    frequencies = np.fft.rfftfreq(n_fft, 1 / SOURCE_RATE_HZ)
    bins = random.standard_normal((2, frequencies.size)) / np.sqrt(np.maximum(frequencies, PINK_ABOVE_HZ))
    hum = np.argmin(np.abs(frequencies - HUM_HZ))
    bins[:, hum] *= 10 ** (HUM_DB / 20)
    return np.asarray(bins[0] + 1j * bins[1], np.complex128)


def _fast_length(n: int) -> int:
    """Return a transform length of which few are needed, so that responses can be kept: whole seconds."""
    return -(-n // SOURCE_RATE_HZ) * SOURCE_RATE_HZ


def _rms(spectrum: NDArray[np.complex128], n: int) -> float:
    """Return the RMS of `n` samples that a one-sided spectrum holds (Parseval's theorem)."""
    n_fft = 2 * (spectrum.size - 1)
    power = 2 * np.square(np.abs(spectrum)).sum() / n_fft
    return max(float(np.sqrt(power / n)), 1e-9)


def _at_rate(samples: NDArray[np.float64], rate_hz: int) -> NDArray[np.float32]:
    import soxr

    if rate_hz != SOURCE_RATE_HZ:
        samples = soxr.resample(samples, SOURCE_RATE_HZ, rate_hz, quality="MQ")
    return np.clip(samples, -1.0, 1.0).astype(np.float32)
