"""Readers of speech corpora, each in its original layout or with a ``manifest.csv``."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

from affect_pipeline.errors import CorpusError
from affect_pipeline.model.corpora.acted import (
    CREMA_NAME,
    EMODB_NAME,
    EMOSPEECH_NAME,
    RAVDESS_NAME,
    TESS_NAME,
    audio_files,
    read_crema_d,
    read_emodb,
    read_emospeech,
    read_iemocap,
    read_manifest,
    read_nemo,
    read_ravdess,
    read_tess,
)
from affect_pipeline.model.corpora.depression import read_daic_woz, read_e_daic
from affect_pipeline.model.corpora.recording import EMOTIONS, Recording, emotion_word

__all__ = ["EMOTIONS", "LAYOUTS", "TESTING_ONLY", "Recording", "emotion_word", "guess_layout", "read_corpus"]

LAYOUTS: dict[str, Callable[[Path], Iterator[Recording]]] = {
    "manifest": read_manifest,
    "ravdess": read_ravdess,
    "emodb": read_emodb,
    "crema-d": read_crema_d,
    "tess": read_tess,
    "nemo": read_nemo,
    "emospeech": read_emospeech,
    "iemocap": read_iemocap,
    "daic-woz": read_daic_woz,
    "e-daic": read_e_daic,
}
TESTING_ONLY = ("emodb",)
"""Corpora, by name, that test models and never teach one."""
NAMES = {
    "ravdess": RAVDESS_NAME, "emodb": EMODB_NAME, "crema-d": CREMA_NAME, "tess": TESS_NAME,
    "emospeech": EMOSPEECH_NAME,
}  # fmt: skip


def read_corpus(folder: Path, layout: str | None = None, name: str | None = None) -> list[Recording]:
    """Read a corpus.

    Parameters
    ----------
    folder : Path
        Where it lies.
    layout : str, optional
        One of `LAYOUTS`; guessed from the files if not given.
    name : str, optional
        Name of the corpus in reports, instead of the reader's.

    Returns
    -------
    list of Recording
        Sorted by path; every file exists.

    Raises
    ------
    CorpusError
        If the layout is unknown, or no recording is found, or a named file is missing.
    """
    if not folder.is_dir():
        raise CorpusError(f"{folder} is not a folder")
    chosen = layout or guess_layout(folder)
    if chosen not in LAYOUTS:
        raise CorpusError(f"layout {chosen!r} is not known; use one of {sorted(LAYOUTS)}")
    recordings = sorted(LAYOUTS[chosen](folder), key=lambda recording: str(recording.path))
    if not recordings:
        raise CorpusError(f"{folder} holds no recording in the layout {chosen!r}")
    missing = [recording.path.name for recording in recordings if not recording.path.exists()]
    if missing:
        raise CorpusError(f"{folder} lacks {len(missing)} files that it names, first {missing[0]}")
    return [replace(recording, corpus=name) for recording in recordings] if name else recordings


def guess_layout(folder: Path) -> str:
    """Return the layout that the files in a folder follow.

    Raises
    ------
    CorpusError
        If they follow none that is known.
    """
    if (folder / "manifest.csv").exists():
        return "manifest"
    if any(folder.rglob("*_TRANSCRIPT.csv")):
        return "daic-woz"
    if any(folder.rglob("*_Transcript.csv")):
        return "e-daic"
    if any(folder.glob("Session*/dialog/EmoEvaluation")):
        return "iemocap"
    if any(folder.rglob("data.tsv")):
        return "nemo"
    stems = [path.stem for path in audio_files(folder)[:50]]
    for name, pattern in NAMES.items():
        if stems and sum(bool(pattern.fullmatch(stem)) for stem in stems) >= len(stems) / 2:
            return name
    raise CorpusError(f"{folder} follows no known layout; name one of {sorted(LAYOUTS)}, or add a manifest.csv")
