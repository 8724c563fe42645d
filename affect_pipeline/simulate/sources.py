"""Where the voices of a simulated cohort come from: a corpus on disk, or the packaged bank."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from affect_pipeline.errors import CorpusError
from affect_pipeline.simulate.moods import Mood, read_label

SOURCE_RATE_HZ = 16_000
"""Sampling rate that all utterances are brought to before a journal is put together."""

EDGE_S = 0.08
"""Silence that is left before and after the speech of an utterance."""

EDGE_THRESHOLD_DB = -32.0
"""Frames this far below the loudest one are taken for silence at the edges of an utterance."""

MIN_UTTERANCE_S = 0.8
"""Shorter utterances are left out: they hold a word, not a way of speaking."""


@dataclass(frozen=True)
class Utterance:
    """One stretch of speech by one speaker in one mood.

    Parameters
    ----------
    speaker : str
        Who speaks.
    mood : Mood
        How.
    path : str
        The audio file, relative to the source's folder.
    duration_s : float
        Length, edges included.
    start_s : float
        Where it starts in the file.
    """

    speaker: str
    mood: Mood
    path: str
    duration_s: float
    start_s: float = 0.0


class VoiceSource(Protocol):
    """Utterances by several speakers in several moods."""

    name: str
    """What the source is called in the truth file."""

    utterances: Sequence[Utterance]
    """All utterances, in a fixed order."""

    def sex(self, speaker: str) -> str | None:
        """``f`` or ``m`` where the source knows it."""

    def load(self, utterance: Utterance) -> NDArray[np.float32]:
        """Return samples at 16 kHz with the silence at the edges cut off, shape (n,)."""


class FolderSource:
    """Utterances listed by ``manifest.csv`` in a folder.

    The manifest has the columns ``path, speaker, label, duration_s`` and may have ``start_s``
    (several utterances in one file) and ``sex``. Utterances whose label names no mood are left out.

    Parameters
    ----------
    folder : Path
        The folder of the corpus.
    name : str
        What to call it; by default the folder's name.

    Raises
    ------
    CorpusError
        If there is no readable manifest, or no speaker with both neutral or calm and sad speech.
    """

    def __init__(self, folder: Path, name: str = "") -> None:
        self.folder, self.name = folder, name or folder.resolve().name
        rows = _read_manifest(folder / "manifest.csv")
        self._sexes = {row["speaker"]: row["sex"] for row in rows if row.get("sex")}
        self.utterances: Sequence[Utterance] = _usable(rows)
        if not change_speakers(self.utterances):
            labels = ", ".join(sorted({row["label"] for row in rows}))
            raise CorpusError(
                f"{folder} has no speaker with both neutral or calm and sad recordings; its labels are: {labels}"
            )
        self._file: tuple[str, NDArray[np.float32]] = ("", np.empty(0, np.float32))
        self._loaded: tuple[str, dict[Utterance, NDArray[np.float32]]] = ("", {})

    def sex(self, speaker: str) -> str | None:
        """``f`` or ``m`` where the manifest says so."""
        return self._sexes.get(speaker)

    def load(self, utterance: Utterance) -> NDArray[np.float32]:
        """Return samples at 16 kHz with the silence at the edges cut off, shape (n,).

        The utterances of the last speaker are kept: journals are rendered patient by patient.
        """
        if self._loaded[0] != utterance.speaker:
            self._loaded = (utterance.speaker, {})
        known = self._loaded[1]
        if utterance not in known:
            samples = self._read(utterance.path)
            start = round(utterance.start_s * SOURCE_RATE_HZ)
            known[utterance] = trim_edges(samples[start : start + round(utterance.duration_s * SOURCE_RATE_HZ)])
        return known[utterance]

    def _read(self, path: str) -> NDArray[np.float32]:
        if self._file[0] != path:
            self._file = (path, _read_16k(self.folder / path))
        return self._file[1]


def change_speakers(utterances: Iterable[Utterance]) -> set[str]:
    """Return the speakers with both neutral or calm and sad utterances: those who can have an onset."""
    moods: dict[str, set[Mood]] = {}
    for utterance in utterances:
        moods.setdefault(utterance.speaker, set()).add(utterance.mood)
    return {who for who, have in moods.items() if Mood.SAD in have and have & {Mood.NEUTRAL, Mood.CALM}}


def trim_edges(samples: NDArray[np.float32]) -> NDArray[np.float32]:
    """Cut the silence before and after the speech, leaving `EDGE_S` on both sides.

    Parameters
    ----------
    samples : NDArray[float32]
        An utterance at 16 kHz, shape (n,).
    """
    frame = SOURCE_RATE_HZ // 50
    n_frames = samples.size // frame
    if n_frames == 0:
        return samples
    energy = np.square(samples[: n_frames * frame].reshape(n_frames, frame)).mean(axis=1)
    loud = np.flatnonzero(energy > energy.max() * 10 ** (EDGE_THRESHOLD_DB / 10))
    if loud.size == 0:
        return samples
    edge = round(EDGE_S * SOURCE_RATE_HZ)
    return samples[max(0, loud[0] * frame - edge) : (loud[-1] + 1) * frame + edge]


def _read_16k(path: Path) -> NDArray[np.float32]:
    import soundfile
    import soxr

    try:
        samples, rate = soundfile.read(path, dtype="float32", always_2d=True)
    except (OSError, soundfile.LibsndfileError) as error:
        raise CorpusError(f"{path} cannot be read: {error}") from error
    mono = samples.mean(axis=1)
    return np.asarray(mono if rate == SOURCE_RATE_HZ else soxr.resample(mono, rate, SOURCE_RATE_HZ), np.float32)


def _read_manifest(path: Path) -> list[dict[str, str]]:
    try:
        with path.open(newline="", encoding="utf-8") as file:
            reader = csv.DictReader(file)
            rows = list(reader)
    except FileNotFoundError:
        raise CorpusError(
            f"{path} is missing: a corpus folder needs it, with path, speaker, label, duration_s"
        ) from None
    wanted = {"path", "speaker", "label", "duration_s"}
    if missing := wanted - set(reader.fieldnames or ()):
        raise CorpusError(f"{path} lacks the column(s) {', '.join(sorted(missing))}")
    return rows


def _usable(rows: Iterable[dict[str, str]]) -> tuple[Utterance, ...]:
    found = []
    for row in rows:
        mood, duration_s = read_label(row["label"]), float(row["duration_s"])
        if mood is not None and duration_s >= MIN_UTTERANCE_S:
            start_s = float(row.get("start_s") or 0.0)
            found.append(Utterance(row["speaker"], mood, row["path"], duration_s, start_s))
    return tuple(sorted(found, key=lambda one: (one.speaker, one.path, one.start_s)))
