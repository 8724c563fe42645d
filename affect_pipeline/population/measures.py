"""What is compared between this week and the weeks before, and in which parts of the cohort."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Measure:
    """One number of a recording whose distribution over patients is watched.

    Parameters
    ----------
    name : str
        Its name in `sql/population/collect_patients.sql`: a column of the warehouse.
    kind : str
        ``score`` (what the model heard), ``biomarker`` or ``quality``.
    words : str
        What people call it.
    unit : str
        Its unit; empty where it has none.
    """

    name: str
    kind: str
    words: str
    unit: str

    def shift_in_words(self, difference: float) -> str:
        """Return a difference with sign and unit, for instance ``mean energy -6.1 dB``."""
        return f"{self.words} {difference:+.3g}{f' {self.unit}' if self.unit else ''}"


MEASURES: tuple[Measure, ...] = (
    Measure("depression_logit", "score", "low-mood proxy", "logit"),
    Measure("valence", "score", "valence", ""),
    Measure("arousal", "score", "arousal", ""),
    Measure("f0_median_hz", "biomarker", "median pitch", "Hz"),
    Measure("f0_range_st", "biomarker", "pitch range", "semitones"),
    Measure("f0_sd_st", "biomarker", "pitch variability", "semitones"),
    Measure("voiced_ratio", "biomarker", "voiced share", ""),
    Measure("speech_rate_hz", "biomarker", "speech rate", "syllables/s"),
    Measure("pause_rate_per_min", "biomarker", "pauses", "per minute"),
    Measure("pause_mean_s", "biomarker", "mean pause", "s"),
    Measure("energy_mean_db", "biomarker", "mean energy", "dB"),
    Measure("energy_sd_db", "biomarker", "loudness variability", "dB"),
    Measure("spectral_slope_db_per_octave", "biomarker", "spectral tilt", "dB/octave"),
    Measure("spectral_centroid_hz", "biomarker", "spectral centroid", "Hz"),
    Measure("spectral_flatness", "biomarker", "spectral flatness", ""),
    Measure("duration_s", "quality", "length", "s"),
    Measure("speech_ratio", "quality", "share of speech", ""),
    Measure("snr_db", "quality", "signal to noise", "dB"),
    Measure("clipping_ratio", "quality", "clipped share", ""),
    Measure("level_dbfs", "quality", "level", "dB"),
    Measure("bandwidth_hz", "quality", "bandwidth", "Hz"),
    Measure("quarantined", "quality", "share not usable", ""),
)
"""All measures: three scores, the twelve biomarkers, and what the quality of a recording shows in."""

BY_NAME = {measure.name: measure for measure in MEASURES}

DIMENSIONS: tuple[str, ...] = ("all", "device", "clinic", "language", "model_version")
"""How the cohort is cut. ``all`` holds what does not depend on a model, ``model_version`` what does."""

EVERYBODY = "everybody"
"""The one slice of the dimension ``all``."""


def slice_in_words(dimension: str, part: str) -> str:
    """Return what people call a part of the cohort, for instance ``device phone-b``."""
    if dimension == "all":
        return "all recordings"
    return f"model {part[:8]}" if dimension == "model_version" else f"{dimension} {part}"
