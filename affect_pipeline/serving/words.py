"""Numbers in plain words, the same everywhere a person reads them.

Nothing here judges a person: it says what was measured, how sure that is, and what to do next.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

_USE = (
    "It can support a conversation, never replace one. If somebody may be in danger, follow your emergency procedure."
)

DISCLAIMER = (
    "This is not a diagnosis. The estimate is a proxy for low mood. The model that ships learned it from acted speech "
    f"and has not been validated on patients; the Model page says what the one in use learned from. {_USE}"
)
"""Where no single model is spoken of."""

OF_ACTED_SPEECH = (
    "This is not a diagnosis. The estimate is a proxy for low mood that was learned from acted "
    f"speech; it has not been validated on patients. {_USE}"
)
OF_QUESTIONNAIRES = (
    "This is not a diagnosis. The estimate was learned from recorded interviews and the PHQ-8 answers of those who "
    f"spoke; it has not been validated on your patients. {_USE}"
)
NONE = "\N{EN DASH}"
"""What is written where there is no value."""

SHORT_DISCLAIMER = "Signals from voice, not a diagnosis; the model that ships learned them from acted speech."


@dataclass(frozen=True)
class Channel:
    """How one channel is called and counted.

    Parameters
    ----------
    label : str
        Its name in plain words.
    unit : str
        Its unit, as it is written after a number.
    rising, falling : str
        What a rise and a fall mean.
    digits : int
        Decimal places that are worth showing.
    """

    label: str
    unit: str
    rising: str
    falling: str
    digits: int = 2


CHANNELS: Mapping[str, Channel] = {
    "combined": Channel("All channels together", "", "unlike their usual self", "closer to their usual self", 1),
    "depression": Channel("Low-mood signal", "", "sounds lower in mood", "sounds lighter in mood"),
    "valence": Channel("Pleasantness of the voice", "", "sounds more positive", "sounds less positive"),
    "arousal": Channel("Energy of the voice", "", "sounds more activated", "sounds more subdued"),
    "pitch_variability": Channel("Pitch variability", "semitones", "more lively melody", "flatter melody"),
    "speech_rate": Channel("Speech rate", "syllables a second", "speaks faster", "speaks slower"),
    "pause_rate": Channel("Pauses", "a minute", "pauses more", "pauses less"),
    "energy_variability": Channel("Loudness variability", "dB", "more varied loudness", "more even loudness"),
    "adherence": Channel("Journals recorded", "a day", "records more often", "records less often"),
}

BIOMARKERS: Mapping[str, tuple[str, str, int]] = {
    "f0_median_hz": ("median pitch", "Hz", 0),
    "f0_range_st": ("pitch range", "semitones", 1),
    "f0_sd_st": ("pitch variability", "semitones", 1),
    "voiced_ratio": ("voiced part of the speech", "%", 0),
    "speech_rate_hz": ("speech rate", "syllables a second", 1),
    "pause_rate_per_min": ("pauses", "a minute", 0),
    "pause_mean_s": ("mean pause", "seconds", 1),
    "energy_mean_db": ("mean energy", "dB", 0),
    "energy_sd_db": ("loudness variability", "dB", 1),
    "spectral_slope_db_per_octave": ("spectral slope", "dB an octave", 1),
    "spectral_centroid_hz": ("spectral centre", "Hz", 0),
    "spectral_flatness": ("noisiness of the spectrum (0 to 1)", "", 2),
}

REASONS: Mapping[str, str] = {
    "empty_file": "the file is empty",
    "too_large": "the file is too large",
    "not_audio": "the file holds no audio",
    "decode_failed": "the audio is damaged and cannot be read",
    "truncated": "the recording breaks off",
    "no_decoder": "this format needs ffmpeg, which is not installed",
    "too_long": "the recording is too long",
    "non_finite_samples": "the audio holds values that are not numbers",
    "no_speech": "no speech was found",
    "speech_at_least_3_s": "less than 3 seconds of speech",
    "snr_at_least_12_db": "too much background noise",
    "clipping_at_most_5_percent": "badly distorted: the microphone was overdriven",
    "silence_at_most_50_percent": "more than half of it is silence",
    "snr_at_least_18_db": "some background noise",
    "clipping_at_most_1_percent": "slightly distorted",
    "silence_at_most_30_percent": "long silences",
    "level_at_least_minus_50_dbfs": "very quiet: the microphone was far away or covered",
    "bandwidth_at_least_5_khz": "telephone quality",
    "dc_offset_at_most_2_percent": "the microphone's electronics drift",
    "released": "released from quarantine by a person",
    "sidecar_missing": "the note that belongs to the recording is missing",
    "sidecar_malformed": "the note that belongs to the recording cannot be read",
    "recorded_in_future": "the recording claims to be from the future",
    "consent_missing": "consent is not recorded",
    "consent_withdrawn": "consent was withdrawn",
    "tampered": "the kept recording was changed",
    "questionnaire_malformed": "the questionnaire cannot be read",
    "instrument_unknown": "it is neither a PHQ-9 nor a PHQ-8",
    "items_malformed": "not every question was answered by a number from 0 to 3",
    "total_mismatch": "the total is not the sum of the answers",
    "answered_in_future": "the answers claim to be from the future",
    "unreadable": "the file could not be read",
}

PHQ_ANSWERS = ("not at all", "several days", "more than half the days", "nearly every day")
"""What 0 to 3 stand for: how often, over the last two weeks."""

PHQ_DISCLAIMER = (
    "The PHQ is a screening questionnaire, not a diagnosis. It asks how often, over the last two weeks, each of nine "
    "problems (eight in the PHQ-8) bothered somebody, from 0 (not at all) to 3 (nearly every day)."
)

SELF_HARM = (
    "Question 9 of the PHQ-9 asks about thoughts of being better off dead or of hurting oneself. Speak with the "
    "patient today, by your own procedure. This is not a crisis service: answers are read once a night, and nobody "
    "has been called."
)

BASELINE_STATES: Mapping[str, str] = {
    "ready": "compared with their own baseline",
    "too_little_data": "too few journals to judge",
    "withdrawn": "consent was withdrawn",
}


def number(value: float | None, digits: int = 2) -> str:
    """Return a number for reading, or a dash where there is none."""
    if value is None or not math.isfinite(value):
        return NONE
    return f"{value:.{digits}f}".replace("-", "\N{MINUS SIGN}")


def with_unit(value: float | None, unit: str, digits: int) -> str:
    """Return a number with its unit, or a dash where there is none.

    Examples
    --------
    >>> with_unit(1.94, "semitones", 1)
    '1.9 semitones'
    >>> with_unit(0.5, "%", 0)
    '50 %'
    """
    if value is None or not math.isfinite(value):
        return NONE
    return f"{number(value * 100 if unit == '%' else value, digits)} {unit}".strip()


def biomarkers_in_words(values: Mapping[str, float | None]) -> list[str]:
    """Return each biomarker that could be measured as a short phrase.

    Examples
    --------
    >>> biomarkers_in_words({"f0_sd_st": 1.93, "pause_mean_s": float("nan")})
    ['pitch variability 1.9 semitones']
    """
    phrases = []
    for name, (label, unit, digits) in BIOMARKERS.items():
        value = values.get(name)
        if value is not None and math.isfinite(value):
            phrases.append(f"{label} {with_unit(value, unit, digits)}")
    return phrases


def reason_in_words(reason: str) -> str:
    """Return a machine-readable reason as words; an unknown one is still readable."""
    return REASONS.get(reason, reason.replace("_", " "))


def channel(name: str) -> Channel:
    """Return how a channel is called; an unknown one is called by its name."""
    return CHANNELS.get(name, Channel(name.replace("_", " "), "", "rising", "falling"))


def certainty(evidence: Mapping[str, object] | None) -> str:
    """Return how sure an alert is, from the evidence that it was raised with.

    Examples
    --------
    >>> certainty({"statistic": 7.5, "limit": 5.0, "false_alarms_per_patient_90d": 0.06})
    '1.5 times the limit; about 6 % of unchanged patients get such an alert in 90 days'
    """
    known = {name: value for name, value in (evidence or {}).items() if isinstance(value, int | float)}
    parts = []
    if known.get("limit"):
        parts.append(f"{known['statistic'] / known['limit']:.1f} times the limit" if "statistic" in known else "")
    if "false_alarms_per_patient_90d" in known:
        rate = known["false_alarms_per_patient_90d"]
        parts.append(f"about {100 * rate:.2g} % of unchanged patients get such an alert in 90 days")
    return "; ".join(part for part in parts if part)


def days_ago(day: date, today: date) -> str:
    """Return how long ago a day was, in words.

    Examples
    --------
    >>> days_ago(date(2026, 1, 4), date(2026, 1, 5))
    'yesterday'
    """
    n_days = (today - day).days
    if n_days == 0:
        return "today"
    if n_days == 1:
        return "yesterday"
    if 1 < n_days < 60:
        return f"{n_days} days ago"
    return f"on {long_day(day)}"


def long_day(day: date | None) -> str:
    """Return a date for reading, in an order that no country misreads."""
    return NONE if day is None else f"{day.day} {day:%b %Y}"


def local_time(moment: datetime | None, time_zone: str | None) -> str:
    """Return a time as the patient's clock showed it, naming the zone.

    Parameters
    ----------
    moment : datetime or None
        The moment, with its offset.
    time_zone : str or None
        The patient's IANA time zone; UTC where it is unknown.
    """
    if moment is None:
        return NONE
    try:
        zone = ZoneInfo(time_zone or "UTC")
    except (ZoneInfoNotFoundError, ValueError):
        zone = ZoneInfo("UTC")
    local = moment.astimezone(zone)
    return f"{long_day(local.date())}, {local:%H:%M} ({zone.key})"
