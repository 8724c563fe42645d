"""Made-up journals for benchmarks of speed: the packaged voices, with pauses and a background, of a given length."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt

from affect_pipeline.simulate.sources import SOURCE_RATE_HZ, RecordedVoices, packaged_voices

Samples = npt.NDArray[np.float32]

RATE_HZ = SOURCE_RATE_HZ
LONGEST_PAUSE_S = 1.2
BACKGROUND_SNR_DB = 30.0
LEVEL_DBFS = -26.0


class Recorder:
    """Makes journals by putting utterances of one speaker in a row, each journal a function of the seed.

    Parameters
    ----------
    seed : int
        Draws speakers, utterances, pauses and backgrounds.
    """

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self._voices: RecordedVoices = packaged_voices()
        self._said: dict[str, list[Samples]] = {}

    def journal(self, number: int, seconds: float) -> Samples:
        """Return journal `number` of `seconds` at 16 kHz, shape (n,)."""
        rng = np.random.default_rng((self.seed, number))
        speakers = sorted(self._voices.speakers)
        said = self._utterances(speakers[int(rng.integers(len(speakers)))])
        n_samples = round(seconds * RATE_HZ)
        parts: list[Samples] = []
        while sum(part.size for part in parts) < n_samples:
            parts.append(np.zeros(round(rng.uniform(0.1, LONGEST_PAUSE_S) * RATE_HZ), np.float32))
            parts.append(said[int(rng.integers(len(said)))])
        speech = np.concatenate(parts)[:n_samples]
        level = 10 ** (LEVEL_DBFS / 20)
        speech *= np.float32(level / max(float(np.sqrt(np.square(speech).mean())), 1e-6))
        noise = rng.standard_normal(n_samples, np.float32) * np.float32(level * 10 ** (-BACKGROUND_SNR_DB / 20))
        return np.clip(speech + noise, -0.99, 0.99).astype(np.float32)

    def _utterances(self, speaker: str) -> list[Samples]:
        if speaker not in self._said:
            chosen = (one for one in self._voices.utterances if one.speaker == speaker)
            self._said[speaker] = [self._voices.load(one) for one in chosen]
        return self._said[speaker]

    def journals(self, seconds: Sequence[float]) -> Iterator[Samples]:
        """Yield a journal of each length."""
        for number, length in enumerate(seconds):
            yield self.journal(number, length)


def lengths_s(n: int, shortest: float, longest: float, seed: int) -> list[float]:
    """Return `n` lengths in seconds, evenly spread over a range and shuffled: the same mean for every seed."""
    spread = np.linspace(shortest, longest, n)
    return [float(length) for length in np.random.default_rng(seed).permutation(spread)]
