"""What a model costs, and whether the errors it states are honest."""

from __future__ import annotations

import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from affect_pipeline.acoustics.preprocessing import prepare
from affect_pipeline.model.corpora import Recording
from affect_pipeline.model.encoder import WEIGHTS_FILE
from affect_pipeline.model.features import read_audio
from affect_pipeline.model.scorer import Scorer

RATE_HZ = 16_000
JOURNAL_S = 30.0
MOST_PAIRS = 48
"""Pairs of journals that coverage is counted on, evenly over speakers and moods."""
LOAD_ONCE = """
import time, sys
from pathlib import Path
import torch, transformers
start = time.perf_counter()
from affect_pipeline.model.encoder import AffectiveEncoder
AffectiveEncoder.load(Path(sys.argv[1]))
print(time.perf_counter() - start)
"""


@dataclass(frozen=True)
class Cost:
    """Size of the weights in MB, parameters, loading time, and compute time over audio time."""

    size_mb: float
    n_parameters: int
    load_s: float
    real_time_factor: float


def measure_cost(folder: Path, journals: int = 8) -> Cost:
    """Measure a model folder on noise shaped like 30 s journals, on all cores; the best of three rounds."""
    scorer = Scorer(folder)
    rng = np.random.default_rng(0)
    audios = [rng.normal(0, 0.05, int(JOURNAL_S * RATE_HZ)).astype(np.float32) for _ in range(journals)]
    scorer.score(audios[:1])
    times = []
    for _ in range(3):
        start = time.perf_counter()
        scorer.score(audios)
        times.append(time.perf_counter() - start)
    load = subprocess.run([sys.executable, "-c", LOAD_ONCE, str(folder)], capture_output=True, text=True, check=True)
    return Cost(
        size_mb=round((folder / WEIGHTS_FILE).stat().st_size / 1e6, 2),
        n_parameters=sum(p.numel() for p in scorer.encoder.parameters()),
        load_s=round(float(load.stdout), 2),
        real_time_factor=round(min(times) / (journals * JOURNAL_S), 4),
    )


def coverage(folder: Path, recordings: Sequence[Recording]) -> dict[str, float]:
    """Return the share of pairs of journals of one speaker in one mood whose scores differ by less than the errors say.

    Each journal is half of the speaker's recordings in that mood, one after another. Honest errors give 0.95 at
    1.96 standard errors of the difference; acted recordings also differ in intensity, so less is expected.
    """
    scorer = Scorer(folder)
    groups: dict[tuple[str, str], list[Path]] = defaultdict(list)
    for r in recordings:
        if r.emotion is not None:
            groups[r.speaker, r.emotion].append(r.path)
    halves = [paths for _, paths in sorted(groups.items()) if len(paths) >= 6]
    halves = halves[:: max(1, len(halves) // MOST_PAIRS)]
    if not halves:
        return {}
    pairs = [_halves(paths) for paths in halves]
    first, second = (scorer.score([pair[i] for pair in pairs]) for i in (0, 1))
    shares = {}
    for name in ("depression_logit", "valence", "arousal"):
        a, b = (np.array([(getattr(s, name), getattr(s, f"{name}_se")) for s in scores]) for scores in (first, second))
        z = np.abs(a[:, 0] - b[:, 0]) / np.hypot(a[:, 1], b[:, 1])
        shares[name] = round(float(np.mean(z < 1.96)), 4)
    return shares | {"n_pairs": len(halves)}


def _halves(paths: Sequence[Path]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    voices = [prepare(read_audio(path), RATE_HZ) for path in paths]
    voices = [voice for voice in voices if voice.size] or [np.zeros(RATE_HZ, np.float32)] * 2
    return np.concatenate(voices[::2]), np.concatenate(voices[1::2] or voices[:1])
