"""Everything that is measured on one recording, in one pass."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from affect_pipeline.acoustics.biomarkers import Biomarkers, measure_biomarkers
from affect_pipeline.acoustics.preprocessing import normalise, resample, to_int16, trim
from affect_pipeline.acoustics.quality import AudioQuality, measure_quality
from affect_pipeline.acoustics.spectra import spectra
from affect_pipeline.acoustics.vad import Segments, speech_segments


class Audio(Protocol):
    """What is measured: decoded mono samples and where they came from."""

    @property
    def samples(self) -> npt.NDArray[np.float32]:
        """Samples, full scale 1, shape (n,)."""

    @property
    def sample_rate_hz(self) -> int:
        """Sampling rate."""

    @property
    def n_channels(self) -> int:
        """Channels of the file."""


@dataclass(frozen=True)
class Measurement:
    """What was measured on a recording.

    Parameters
    ----------
    quality : AudioQuality
        How good it is.
    biomarkers : Biomarkers
        How the voice sounds.
    prepared : ndarray of int16, shape (n,)
        The audio that the model will hear: 16 kHz, trimmed, levelled. Empty if nobody speaks.
    segments : ndarray of int64, shape (n_segments, 2)
        Speech in samples at 16 kHz.
    """

    quality: AudioQuality
    biomarkers: Biomarkers
    prepared: npt.NDArray[np.int16]
    segments: Segments


def measure_audio(audio: Audio) -> Measurement:
    """Measure a decoded recording: quality, biomarkers, and the audio prepared for the model.

    Parameters
    ----------
    audio : Audio
        A decoded recording, for instance `journals.decode.DecodedAudio`.

    Returns
    -------
    Measurement
        The same, to the bit, for the same samples.
    """
    at_16k = resample(audio.samples, audio.sample_rate_hz)
    segments = speech_segments(at_16k)
    shared = spectra(at_16k, segments)
    return Measurement(
        quality=measure_quality(audio.samples, audio.sample_rate_hz, audio.n_channels, at_16k, shared),
        biomarkers=measure_biomarkers(at_16k, shared),
        prepared=to_int16(normalise(trim(at_16k, segments))),
        segments=segments,
    )
