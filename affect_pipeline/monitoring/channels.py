"""The channels that are watched, and which way each of them moves when a patient gets worse.

The signs follow the literature on depressed speech: flatter, slower, more pauses, less varied loudness
(Cummins et al. 2015, "A review of depression and suicide risk assessment using speech analysis").
"""

from __future__ import annotations

from dataclasses import dataclass

ADHERENCE = "adherence"
COMBINED = "combined"


@dataclass(frozen=True)
class Channel:
    """One number a day that is followed over time.

    Parameters
    ----------
    name : str
        Name in the warehouse.
    sign : int
        +1 if a rise is a worsening, -1 if a fall is.
    words : str
        What it is called in an explanation.
    unit : str
        Its unit; empty where it has none.
    source : str
        Column of the scores or biomarkers it is made from.
    se_source : str
        Column with its standard error; empty where there is none.
    group : str
        Channels of one group tend to move together.
    """

    name: str
    sign: int
    words: str
    unit: str
    source: str
    se_source: str
    group: str


VOICE: tuple[Channel, ...] = (
    Channel("depression", 1, "low-mood signal", "logit", "depression_logit", "depression_logit_se", "heard"),
    Channel("valence", -1, "pleasantness of the voice", "", "valence", "valence_se", "heard"),
    Channel("arousal", -1, "energy of the voice", "", "arousal", "arousal_se", "heard"),
    Channel("pitch_variability", -1, "pitch variability", "semitones", "f0_sd_st", "", "measured"),
    Channel("speech_rate", -1, "speech rate", "syllables/s", "speech_rate_hz", "", "measured"),
    Channel("pause_rate", 1, "pauses", "per minute", "pause_rate_per_min", "", "measured"),
    Channel("energy_variability", -1, "loudness variability", "dB", "energy_sd_db", "", "measured"),
)
"""Channels measured in the voice, in the order of every array over channels."""

VOICE_NAMES: tuple[str, ...] = tuple(channel.name for channel in VOICE)
CHANNEL_NAMES: tuple[str, ...] = (*VOICE_NAMES, ADHERENCE)
