"""How the mood of a simulated patient's speech moves over days.

A journal is made of a handful of utterances, each spoken in one mood. Before the onset a patient
draws from a natural mix that is mostly neutral and calm and leans a little towards sad or happy
from day to day; after the onset the share of sad speech grows linearly over two weeks.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

RAMP_DAYS = 14
"""Days from the first sad utterance of an onset to its full share."""

FULL_SAD_SHARE = 0.85
"""Share of sad speech once an onset is complete."""

DAY_MOOD_AUTOCORRELATION = 0.3
"""Lag-one autocorrelation of the daily lean; daily mood ratings show 0.2 to 0.4."""

DAY_MOOD_EFFECT = 0.5
"""Log odds by which one SD of the daily lean moves sad (up) and happy (down)."""


class Mood(StrEnum):
    """Moods that the simulator knows; the emotions that the corpora readers tell apart."""

    NEUTRAL = "neutral"
    CALM = "calm"
    HAPPY = "happy"
    SAD = "sad"
    ANGRY = "angry"
    FEARFUL = "fearful"
    DISGUST = "disgust"
    SURPRISED = "surprised"


NATURAL_MIX: Mapping[Mood, float] = {
    Mood.NEUTRAL: 0.38,
    Mood.CALM: 0.32,
    Mood.HAPPY: 0.12,
    Mood.SAD: 0.05,
    Mood.ANGRY: 0.04,
    Mood.SURPRISED: 0.04,
    Mood.FEARFUL: 0.03,
    Mood.DISGUST: 0.02,
}
"""Shares of the moods in the speech of a patient who is well."""


@dataclass(frozen=True)
class MoodMix:
    """Probabilities of the moods in one journal, summing to one."""

    moods: tuple[Mood, ...]
    shares: tuple[float, ...]

    def share(self, mood: Mood) -> float:
        """Return the probability of one mood; 0 if the speaker has no such recording."""
        return dict(zip(self.moods, self.shares, strict=True)).get(mood, 0.0)


def natural_mix(available: Iterable[Mood], lean: float = 0.0) -> MoodMix:
    """Return the mix of a patient who is well, over the moods that the speaker recorded.

    Parameters
    ----------
    available : Iterable[Mood]
        Moods there are recordings of.
    lean : float
        The day's lean in SD, positive towards sad.

    Raises
    ------
    ValueError
        If no mood is available.
    """
    moods = tuple(sorted(set(available)))
    if not moods:
        raise ValueError("a mix of moods needs at least one mood")
    tilt = {Mood.SAD: DAY_MOOD_EFFECT * lean, Mood.HAPPY: -DAY_MOOD_EFFECT * lean}
    weights = np.array([NATURAL_MIX[mood] * np.exp(tilt.get(mood, 0.0)) for mood in moods])
    return MoodMix(moods, tuple((weights / weights.sum()).tolist()))


def shifted_mix(mix: MoodMix, sad_share: float) -> MoodMix:
    """Return `mix` with the given share of its speech replaced by sad speech.

    Raises
    ------
    ValueError
        If the speaker has no sad recordings, or the share is outside [0, 1].
    """
    if not 0 <= sad_share <= 1:
        raise ValueError(f"a share lies between 0 and 1, not {sad_share}")
    if sad_share and Mood.SAD not in mix.moods:
        raise ValueError("a speaker without sad recordings cannot have an onset")
    shares = tuple(
        (1 - sad_share) * share + (sad_share if mood is Mood.SAD else 0.0)
        for mood, share in zip(mix.moods, mix.shares, strict=True)
    )
    return MoodMix(mix.moods, shares)


def sad_share(day: int, onset_day: int | None) -> float:
    """Return the share of speech that an onset has turned sad on a day.

    Parameters
    ----------
    day, onset_day : int
        Days of the study, from 0. The onset day is the first one that is changed.

    Examples
    --------
    >>> [round(sad_share(day, 28), 2) for day in (27, 28, 34, 41, 60)]
    [0.0, 0.06, 0.43, 0.85, 0.85]
    """
    if onset_day is None or day < onset_day:
        return 0.0
    return FULL_SAD_SHARE * min(1.0, (day - onset_day + 1) / RAMP_DAYS)


def daily_leans(n_days: int, random: np.random.Generator) -> NDArray[np.float64]:
    """Return the daily leans of one patient: a stationary AR(1) series with SD 1, shape (n_days,)."""
    shocks = random.standard_normal(n_days)
    leans = np.empty(n_days)
    level = 0.0
    for day, shock in enumerate(shocks):
        scale = np.sqrt(1 - DAY_MOOD_AUTOCORRELATION**2) if day else 1.0
        level = DAY_MOOD_AUTOCORRELATION * level + scale * shock
        leans[day] = level
    return leans
