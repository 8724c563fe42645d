"""Voices for tests: a source that needs no files, whose moods can be told apart by their pitch."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from affect_pipeline.simulate.moods import Mood
from affect_pipeline.simulate.sources import SOURCE_RATE_HZ, Speaker, Utterance

PITCHES_HZ = {mood: 120.0 + 30 * index for index, mood in enumerate(Mood)}


class Tones:
    """Speakers who say each mood three times, as a tone with an envelope like syllables."""

    name = "tones"

    def __init__(self, n_speakers: int = 4, moods: tuple[Mood, ...] = tuple(Mood)) -> None:
        names = [f"tone_{index}" for index in range(n_speakers)]
        self.speakers = {name: Speaker(name, "f", "en") for name in names}
        self.utterances = tuple(
            Utterance(name, mood, Path(mood), start_s=float(turn))
            for name in names
            for mood in moods
            for turn in range(3)
        )

    def load(self, utterance: Utterance) -> NDArray[np.float32]:
        times_s = np.arange(2 * SOURCE_RATE_HZ) / SOURCE_RATE_HZ
        syllables = np.sin(2 * np.pi * 2 * times_s) ** 2
        return (0.3 * syllables * np.sin(2 * np.pi * PITCHES_HZ[utterance.mood] * times_s)).astype(np.float32)
