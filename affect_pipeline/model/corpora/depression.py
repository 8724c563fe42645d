"""Readers of the depression interviews DAIC-WOZ and E-DAIC, as those who sign their agreements receive them."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path

from affect_pipeline.errors import CorpusError
from affect_pipeline.model.corpora.recording import Recording

PHQ8_CUT = 10
"""PHQ-8 of ten or more counts as depressed (Kroenke et al. 2009)."""
SPLIT_FILES = {
    "train": ("train_split_Depression_AVEC2017.csv", "train_split.csv"),
    "dev": ("dev_split_Depression_AVEC2017.csv", "dev_split.csv"),
    "test": ("full_test_split.csv", "test_split.csv"),
}
SEXES = {"0": "f", "1": "m", "female": "f", "male": "m", "f": "f", "m": "m"}


def read_daic_woz(folder: Path) -> Iterator[Recording]:
    """Read DAIC-WOZ: ``300_P/300_AUDIO.wav``, cut to the participant's turns of ``300_TRANSCRIPT.csv``."""
    for row, split in _labels(folder):
        number = row["Participant_ID"]
        session = folder / f"{number}_P"
        turns = _table(session / f"{number}_TRANSCRIPT.csv", "\t")
        parts = [
            (float(turn["start_time"]), float(turn["stop_time"]))
            for turn in turns
            if turn["speaker"].strip().lower() == "participant"
        ]
        yield _recording(session / f"{number}_AUDIO.wav", "daic-woz", row, split, parts)


def read_e_daic(folder: Path) -> Iterator[Recording]:
    """Read E-DAIC: ``300_P/300_AUDIO.wav`` and ``300_Transcript.csv``, which holds the participant's turns only."""
    for row, split in _labels(folder):
        number = row["Participant_ID"]
        session = folder / f"{number}_P"
        turns = _table(session / f"{number}_Transcript.csv", ",")
        parts = [(float(turn["Start_Time"]), float(turn["End_Time"])) for turn in turns]
        yield _recording(session / f"{number}_AUDIO.wav", "e-daic", row, split, parts)


def _labels(folder: Path) -> Iterator[tuple[dict[str, str], str]]:
    found = False
    for split, names in SPLIT_FILES.items():
        for path in sorted(p for name in names for p in folder.rglob(name)):
            found = True
            for row in _table(path, ","):
                # The test file of DAIC-WOZ drops the 8 from its column names and capitalises differently.
                renamed = {key.replace("PHQ8_", "PHQ_").replace("participant_ID", "Participant_ID"): value
                           for key, value in row.items() if key}  # fmt: skip
                yield renamed, split
    if not found:
        raise CorpusError(
            f"{folder} has none of the split files {sorted(n for ns in SPLIT_FILES.values() for n in ns)}"
        )


def _recording(path: Path, corpus: str, row: dict[str, str], split: str, parts: list[tuple[float, float]]) -> Recording:
    if not path.exists():
        raise CorpusError(f"{path.name} of participant {row['Participant_ID']} is missing in {path.parent}")
    score = int(float(row["PHQ_Score"])) if row.get("PHQ_Score") else None
    binary = row.get("PHQ_Binary")
    depressed = bool(int(float(binary))) if binary else (score >= PHQ8_CUT if score is not None else None)
    return Recording(
        path=path, corpus=corpus, language="en", speaker=row["Participant_ID"],
        sex=SEXES.get(row.get("Gender", "").strip().lower()), phq8=score, depressed=depressed, split=split,
        parts_s=tuple(part for part in parts if part[1] > part[0]),
    )  # fmt: skip


def _table(path: Path, delimiter: str) -> list[dict[str, str]]:
    if not path.exists():
        raise CorpusError(f"{path} is missing")
    with path.open(newline="", encoding="utf-8-sig") as file:
        return list(csv.DictReader(file, delimiter=delimiter))
