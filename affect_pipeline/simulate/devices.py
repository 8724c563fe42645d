"""The phones that simulated patients record with, and the files they make."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Device:
    """One make of recorder: how it sounds and what it writes.

    Parameters
    ----------
    name : str
        What the sidecar says.
    sample_rate_hz : int
        Sampling rate of its files.
    extension : str
        File name ending.
    container, subtype : str
        libsndfile's words for the format.
    low_hz, high_hz : float
        Corner frequencies of its band, -3 dB.
    tilt_db_per_octave : float
        Slope of its response around 1 kHz.
    level_dbfs : float
        Usual RMS level of a journal.
    """

    name: str
    sample_rate_hz: int
    extension: str
    container: str
    subtype: str
    low_hz: float
    high_hz: float
    tilt_db_per_octave: float
    level_dbfs: float


DEVICES: tuple[Device, ...] = (
    Device("phone-flac-16k", 16_000, "flac", "FLAC", "PCM_16", 70, 7600, 0.0, -23.0),
    Device("phone-wav-48k", 48_000, "wav", "WAV", "PCM_16", 60, 7900, 0.3, -25.0),
    Device("phone-ogg-44k", 44_100, "ogg", "OGG", "VORBIS", 90, 7800, -0.4, -22.0),
    Device("tablet-flac-44k", 44_100, "flac", "FLAC", "PCM_16", 120, 7700, 0.6, -27.0),
    Device("phone-opus-48k", 48_000, "opus", "OGG", "OPUS", 80, 7500, 0.2, -21.0),
    Device("phone-wav-16k", 16_000, "wav", "WAV", "PCM_16", 100, 7400, -0.6, -24.0),
    Device("recorder-mp3-44k", 44_100, "mp3", "MP3", "MPEG_LAYER_III", 60, 7800, 0.0, -20.0),
    Device("landline-wav-8k", 8_000, "wav", "WAV", "ULAW", 300, 3400, 0.0, -24.0),
)
"""Every container and sampling rate that real journals come in, commonest first."""
