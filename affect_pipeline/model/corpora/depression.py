"""Readers of the depression interviews DAIC-WOZ and E-DAIC, as those who sign their agreements receive them.

An interview is two people's: Ellie asks, the participant answers. Only the participant's turns are the participant's
voice, and nothing of Ellie's may reach a model: what she asks next depends on what she heard, and tells the label
(Burdisso et al. 2024). So where their turns overlap, the participant's is cut.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
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
LATE_S = {"318": 34.319917, "321": 3.8379167, "341": 6.1892, "362": 16.8582}
"""Interviews of DAIC-WOZ whose transcripts run ahead of the audio by so much, as users of the corpus found."""
INTERRUPTED_S = {"373": (395.0, 428.0), "444": (286.0, 387.0)}
"""Interviews of DAIC-WOZ that somebody walked into, and when."""


@dataclass(frozen=True)
class Turn:
    """One line of a transcript without its words: from when to when, in seconds of the audio, and whose it is."""

    start_s: float
    stop_s: float
    of_participant: bool


def read_daic_woz(folder: Path) -> Iterator[Recording]:
    """Read DAIC-WOZ: ``300_P/300_AUDIO.wav``, cut to the participant's turns of ``300_TRANSCRIPT.csv``."""
    for row, split in _labels(folder):
        session, number = _session(folder, row["Participant_ID"]), row["Participant_ID"]
        turns = read_turns(session, number)
        yield _recording(session / f"{number}_AUDIO.wav", "daic-woz", row, split, turns)


def read_e_daic(folder: Path) -> Iterator[Recording]:
    """Read E-DAIC: ``300_P/300_AUDIO.wav`` and ``300_Transcript.csv``, which holds the participant's turns only."""
    for row, split in _labels(folder):
        session, number = _session(folder, row["Participant_ID"]), row["Participant_ID"]
        turns = read_turns(session, number)
        yield _recording(session / f"{number}_AUDIO.wav", "e-daic", row, split, turns)


def read_turns(session: Path, number: str) -> list[Turn]:
    """Return the turns of an interview in order of time; what was said is not read.

    Parameters
    ----------
    session : Path
        The folder of the interview.
    number : str
        The participant's.

    Raises
    ------
    CorpusError
        If there is no transcript.
    """
    tabbed = session / f"{number}_TRANSCRIPT.csv"
    if tabbed.exists():
        late = LATE_S.get(number, 0.0)
        turns = [
            Turn(float(row["start_time"]) + late, float(row["stop_time"]) + late, _of_participant(row))
            for row in _table(tabbed, "\t")
            if row.get("start_time")
        ]
        if hole := INTERRUPTED_S.get(number):
            turns = [turn for turn in turns if turn.stop_s <= hole[0] or turn.start_s >= hole[1]]
    else:
        rows = _table(session / f"{number}_Transcript.csv", ",")
        turns = [Turn(float(row["Start_Time"]), float(row["End_Time"]), True) for row in rows]
    return sorted((t for t in turns if t.stop_s > t.start_s), key=lambda turn: (turn.start_s, turn.stop_s))


def participant_parts(turns: Sequence[Turn]) -> tuple[tuple[float, float], ...]:
    """Return the spans in which the participant speaks and the interviewer does not, in seconds."""
    parts = [(turn.start_s, turn.stop_s) for turn in turns if turn.of_participant]
    for other in (turn for turn in turns if not turn.of_participant):
        cut = [
            side
            for start, stop in parts
            for side in ((start, min(stop, other.start_s)), (max(start, other.stop_s), stop))
            if other.start_s < stop and other.stop_s > start and side[1] > side[0]
        ]
        parts = [p for p in parts if other.start_s >= p[1] or other.stop_s <= p[0]] + cut
    return tuple(sorted(parts))


def _of_participant(row: dict[str, str]) -> bool:
    return (row.get("speaker") or "").strip().lower() == "participant"


def _labels(folder: Path) -> Iterator[tuple[dict[str, str], str]]:
    """Yield each participant's row, once, and the official part that it is in."""
    parts: dict[str, str] = {}
    for split, names in SPLIT_FILES.items():
        for path in sorted(p for name in names for p in folder.rglob(name)):
            for row in _table(path, ","):
                # The test file of DAIC-WOZ drops the 8 from its column names and capitalises differently.
                renamed = {key.replace("PHQ8_", "PHQ_").replace("participant_ID", "Participant_ID"): value
                           for key, value in row.items() if key}  # fmt: skip
                number = renamed["Participant_ID"].strip()
                if not number:
                    continue
                if parts.setdefault(number, split) != split:
                    raise CorpusError(f"participant {number} is in two parts of {folder}: {parts[number]} and {split}")
                yield {**renamed, "Participant_ID": number}, split
    if not parts:
        raise CorpusError(
            f"{folder} has none of the split files {sorted(n for ns in SPLIT_FILES.values() for n in ns)}"
        )


def _session(folder: Path, number: str) -> Path:
    """Return an interview's folder, which some copies of the corpora keep deeper."""
    direct = folder / f"{number}_P"
    return direct if direct.is_dir() else next(iter(sorted(folder.rglob(f"{number}_P"))), direct)


def _recording(path: Path, corpus: str, row: dict[str, str], split: str, turns: Sequence[Turn]) -> Recording:
    if not path.exists():
        raise CorpusError(f"{path.name} of participant {row['Participant_ID']} is missing in {path.parent}")
    parts = participant_parts(turns)
    if not parts:  # without spans the whole file would count, the interviewer's voice with it
        raise CorpusError(f"the transcript of participant {row['Participant_ID']} has no turn of the participant")
    score = int(float(row["PHQ_Score"])) if row.get("PHQ_Score") else None
    binary = row.get("PHQ_Binary")
    # The score decides: participant 409 of DAIC-WOZ scored ten and is labelled as not depressed.
    depressed = score >= PHQ8_CUT if score is not None else (bool(int(float(binary))) if binary else None)
    return Recording(
        path=path, corpus=corpus, language="en", speaker=row["Participant_ID"],
        sex=SEXES.get(row.get("Gender", "").strip().lower()), phq8=score, depressed=depressed, split=split,
        parts_s=parts,
    )  # fmt: skip


def _table(path: Path, delimiter: str) -> list[dict[str, str]]:
    if not path.exists():
        raise CorpusError(f"{path} is missing")
    with path.open(newline="", encoding="utf-8-sig") as file:
        return list(csv.DictReader(file, delimiter=delimiter))
