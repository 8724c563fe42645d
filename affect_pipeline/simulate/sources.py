"""Where the voices of a simulated cohort come from: a corpus of recordings, or the packaged bank."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from affect_pipeline.errors import CorpusError
from affect_pipeline.simulate.moods import Mood

SOURCE_RATE_HZ = 16_000
"""Sampling rate that all utterances are brought to before a journal is put together."""

EDGE_S = 0.08
"""Silence that is left before and after the speech of an utterance."""

EDGE_THRESHOLD_DB = -32.0
"""Frames this far below the loudest one are taken for silence at the edges of an utterance."""


@dataclass(frozen=True)
class Utterance:
    """One stretch of speech by one speaker in one mood.

    Parameters
    ----------
    speaker : str
        Who speaks.
    mood : Mood
        How.
    path : Path
        The audio file.
    start_s : float
        Where it starts in the file.
    duration_s : float
        How long it lasts; infinite for the rest of the file.
    """

    speaker: str
    mood: Mood
    path: Path
    start_s: float = 0.0
    duration_s: float = float("inf")


@dataclass(frozen=True)
class Speaker:
    """Who speaks: sex ``f`` or ``m``, and ISO 639-1 language, where the source knows them."""

    name: str
    sex: str | None
    language: str | None


class VoiceSource(Protocol):
    """Utterances by several speakers in several moods."""

    @property
    def name(self) -> str:
        """What the source is called in the truth file."""

    @property
    def utterances(self) -> Sequence[Utterance]:
        """All utterances, in a fixed order."""

    @property
    def speakers(self) -> Mapping[str, Speaker]:
        """Who speaks them, by name."""

    def load(self, utterance: Utterance) -> NDArray[np.float32]:
        """Return samples at 16 kHz with the silence at the edges cut off, shape (n,)."""


class RecordedVoices:
    """A source whose utterances lie in audio files.

    Parameters
    ----------
    name : str
        What it is called.
    utterances : Iterable[Utterance]
        What is said.
    speakers : Iterable[Speaker]
        Who speaks.

    Raises
    ------
    CorpusError
        If nobody has both neutral or calm and sad speech: nobody could have an onset.
    """

    def __init__(self, name: str, utterances: Iterable[Utterance], speakers: Iterable[Speaker]) -> None:
        self.name = name
        self.utterances: Sequence[Utterance] = tuple(sorted(utterances, key=_order))
        self.speakers: Mapping[str, Speaker] = {speaker.name: speaker for speaker in speakers}
        if not change_speakers(self.utterances):
            moods = ", ".join(sorted({one.mood for one in self.utterances})) or "none that we know"
            raise CorpusError(f"{name} has no speaker with both neutral or calm and sad speech; its moods are: {moods}")
        self._file: tuple[Path, NDArray[np.float32]] = (Path(), np.empty(0, np.float32))
        self._loaded: tuple[str, dict[Utterance, NDArray[np.float32]]] = ("", {})

    def load(self, utterance: Utterance) -> NDArray[np.float32]:
        """Return samples at 16 kHz with the silence at the edges cut off, shape (n,).

        The utterances of the last speaker are kept: journals are rendered patient by patient.

        Raises
        ------
        CorpusError
            If the file cannot be read.
        """
        if self._loaded[0] != utterance.speaker:
            self._loaded = (utterance.speaker, {})
        known = self._loaded[1]
        if utterance not in known:
            if self._file[0] != utterance.path:
                self._file = (utterance.path, _read_16k(utterance.path))
            start = round(utterance.start_s * SOURCE_RATE_HZ)
            end = round(min(utterance.duration_s * SOURCE_RATE_HZ, self._file[1].size)) + start
            known[utterance] = trim_edges(self._file[1][start:end])
        return known[utterance]


def corpus_voices(folder: Path) -> RecordedVoices:
    """Return a corpus as a source of voices, in any layout that `read_corpus` knows.

    Recordings whose label names no mood of ours are left out.

    Raises
    ------
    CorpusError
        If the corpus cannot be read, or nobody in it has both neutral or calm and sad speech.
    """
    from affect_pipeline.model.corpora import read_corpus

    recordings = [recording for recording in read_corpus(folder) if recording.emotion is not None]
    utterances = [Utterance(one.speaker, Mood(str(one.emotion)), one.path) for one in recordings]
    speakers = [
        Speaker(one.speaker, one.sex, None if one.language == "und" else one.language)
        for one in {recording.speaker: recording for recording in recordings}.values()
    ]
    return RecordedVoices(folder.resolve().name, utterances, speakers)


def packaged_voices() -> RecordedVoices:
    """Return the packaged bank of synthesised voices."""
    folder = Path(__file__).parent / "bank"
    with (folder / "manifest.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    utterances = [
        Utterance(
            row["speaker"], Mood(row["label"]), folder / row["path"], float(row["start_s"]), float(row["duration_s"])
        )
        for row in rows
    ]
    speakers = {row["speaker"]: Speaker(row["speaker"], row["sex"], "en") for row in rows}
    return RecordedVoices("synthesised voices", utterances, speakers.values())


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


def _order(utterance: Utterance) -> tuple[str, str, float]:
    return utterance.speaker, str(utterance.path), utterance.start_s


def _read_16k(path: Path) -> NDArray[np.float32]:
    import soundfile
    import soxr

    try:
        samples, rate = soundfile.read(path, dtype="float32", always_2d=True)
    except (OSError, soundfile.LibsndfileError) as error:
        raise CorpusError(f"{path} cannot be read: {error}") from error
    mono = samples.mean(axis=1)
    return np.asarray(mono if rate == SOURCE_RATE_HZ else soxr.resample(mono, rate, SOURCE_RATE_HZ), np.float32)
