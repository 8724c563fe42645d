"""Cost of the measure stage on one core, beside librosa alone and openSMILE on the same files.

All of them read the same WAV files. The stage decodes, finds speech, measures 24 quality metrics and biomarkers, and
prepares the audio for the model. The librosa reference loads and computes pyin, rms and mfcc, in three settings: as
its documentation calls them; with the stage's pitch range and frame rate; and as cheaply as it goes, with that range
and a third of the frames. openSMILE computes eGeMAPS. Time is that of the processor, so that a library that uses
several cores has no advantage.
"""

from __future__ import annotations

import importlib.util
import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from affect_pipeline.bench.recordings import RATE_HZ, Recorder

JOURNAL_S = 20.0


@dataclass(frozen=True)
class Row:
    """One way of measuring the same files.

    Parameters
    ----------
    what : str
        Who measures, and what.
    n_journals : int
        Files.
    core_s : float or None
        Seconds of one core; none if the tool is not installed.
    cost_per_audio_s : float or None
        Seconds of one core for a second of audio.
    times_faster_here : float or None
        Its cost against that of the measure stage.
    """

    what: str
    n_journals: int
    core_s: float | None
    cost_per_audio_s: float | None
    times_faster_here: float | None


def write_journals(folder: Path, n: int, seed: int) -> list[Path]:
    """Write WAV files of 20 s at 16 kHz, 16 bits, and return their paths."""
    import soundfile

    recorder = Recorder(seed)
    paths = []
    for number in range(n):
        paths.append(folder / f"{number:05d}.wav")
        soundfile.write(paths[-1], recorder.journal(number, JOURNAL_S), RATE_HZ, subtype="PCM_16")
    return paths


def compare(paths: Sequence[Path], n_slow: int) -> list[Row]:
    """Measure files in each way; the slow references take the first `n_slow` of them."""
    ours_s = _core_seconds(_ours, paths)
    ours = ours_s / len(paths) / JOURNAL_S
    rows = [Row("measure stage: decode, VAD, quality, biomarkers, preparation", len(paths), ours_s, ours, None)]
    references = [*LIBROSA.items(), ("openSMILE: eGeMAPS", _opensmile())]
    for what, reference in references:
        if reference is None:
            rows.append(Row(f"{what} (not installed)", 0, None, None, None))
            continue
        some = paths[:n_slow]
        taken = _core_seconds(reference, some)
        cost = taken / len(some) / JOURNAL_S
        rows.append(Row(what, len(some), taken, cost, cost / ours))
    return rows


def _core_seconds(one: Callable[[Path], object], paths: Sequence[Path]) -> float:
    one(paths[0])  # compiles, and loads what is loaded once
    begun = _processor_s()
    for path in paths:
        one(path)
    return _processor_s() - begun


def _processor_s() -> float:
    """Return the processor time of this process and its children so far: recordings are decoded by a child."""
    import psutil

    children = psutil.Process().children(recursive=True)
    return time.process_time() + sum(sum(child.cpu_times()[:2]) for child in children)


def _ours(path: Path) -> object:
    from affect_pipeline.acoustics.measure import measure_audio
    from affect_pipeline.journals.sandbox import decode_apart

    return measure_audio(decode_apart(path))


def _librosa(path: Path, rate_hz: int, low_hz: float, high_hz: float, hop: int) -> object:
    from affect_pipeline.acoustics.compiled import import_librosa

    librosa = import_librosa()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it imports what is deprecated, and pyin divides by zero in silence
        samples, rate = librosa.load(path, sr=rate_hz)
        pitch = librosa.pyin(samples, fmin=low_hz, fmax=high_hz, sr=rate, hop_length=hop)
    loudness = librosa.feature.rms(y=samples, hop_length=hop)
    return pitch, loudness, librosa.feature.mfcc(y=samples, sr=rate, hop_length=hop)


LIBROSA: dict[str, Callable[[Path], object]] = {
    "librosa, as documented (C2 to C7, 22,050 Hz, 23 ms)": partial(
        _librosa, rate_hz=22_050, low_hz=65.41, high_hz=2_093.0, hop=512
    ),
    "librosa, the stage's range and frames (10 ms)": partial(
        _librosa, rate_hz=RATE_HZ, low_hz=60.0, high_hz=500.0, hop=160
    ),
    "librosa, the stage's range, fewer frames (32 ms)": partial(
        _librosa, rate_hz=RATE_HZ, low_hz=60.0, high_hz=500.0, hop=512
    ),
}
"""Settings of the reference."""


def _opensmile() -> Callable[[Path], object] | None:
    """Return openSMILE's eGeMAPS if it is installed: its licence keeps it out of the product."""
    if importlib.util.find_spec("opensmile") is None:
        return None
    import opensmile

    smile = opensmile.Smile(feature_set=opensmile.FeatureSet.eGeMAPSv02)
    return lambda path: smile.process_file(str(path))
