"""Small corpora of synthetic voices whose mood is heard in pitch, melody and tempo."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import soundfile as sf

from tests.audio import Voice, speech

MOODS = {
    "neutral": (1.0, 2.0, 4.0),
    "calm": (0.95, 1.5, 3.5),
    "sad": (0.85, 0.6, 2.5),
    "happy": (1.4, 4.0, 5.0),
    "angry": (1.5, 3.0, 6.0),
    "fearful": (1.6, 2.5, 6.5),
}
"""Factor on the speaker's pitch, melody in semitones, syllables per second."""


def write_corpus(folder: Path, n_speakers: int = 4, takes: int = 2, moods: tuple[str, ...] = tuple(MOODS)) -> Path:
    """Write a corpus with a manifest: every speaker says every mood ``takes`` times."""
    rows = ["path,speaker,label,duration_s"]
    for number in range(n_speakers):
        for index, mood in enumerate(moods):
            for take in range(takes):
                pitch, melody, tempo = MOODS[mood]
                voice = Voice(
                    duration_s=1.5, f0_hz=(100 + 25 * number) * pitch, f0_sd_st=melody, syllables_per_s=tempo,
                    seed=100 * number + 10 * index + take,
                )  # fmt: skip
                name = f"s{number}/{mood}-{take}.wav"
                write(folder / name, speech(voice))
                rows.append(f"{name},s{number},{mood},1.5")
    (folder / "manifest.csv").write_text("\n".join(rows) + "\n")
    return folder


def write(path: Path, samples: np.ndarray, rate_hz: int = 16_000) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    sf.write(path, samples, rate_hz)
    return path


def touch_wav(path: Path) -> Path:
    """Write a tenth of a second of silence, for readers that only look at names."""
    return write(path, np.zeros(1600, np.float32))
