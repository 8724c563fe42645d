"""Small folders in the layouts of DAIC-WOZ and E-DAIC, of real recordings where there are some, else of the demo's.

A depressed participant of these is one whose turns are somebody's sad utterances; no voice speaks in two official
parts. Files of OpenFace and transcripts have the header lines, blanks and oddities of the corpora's own.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import soundfile as sf

from affect_pipeline.simulate.moods import Mood
from affect_pipeline.simulate.sources import RecordedVoices, change_speakers, corpus_voices, packaged_voices

RATE_HZ = 16_000
LONGEST_S = 2.5
AUS = (
    *(f"AU{n:02}_r" for n in (1, 2, 4, 5, 6, 9, 10, 12, 14, 15, 17, 20, 25, 26)),
    *(f"AU{n:02}_c" for n in (4, 12, 15, 23, 28, 45)),
)
GAZE = ("x_0", "y_0", "z_0", "x_1", "y_1", "z_1", "x_h0", "y_h0", "z_h0", "x_h1", "y_h1", "z_h1")
POSE = ("Tx", "Ty", "Tz", "Rx", "Ry", "Rz")
FRAME = ("frame", "timestamp", "confidence", "success")
AU_45 = ("AU07_r", "AU23_r", "AU45_r")
SPLIT_FILES = {
    "train": "train_split_Depression_AVEC2017.csv",
    "dev": "dev_split_Depression_AVEC2017.csv",
    "test": "full_test_split.csv",
}
Samples = np.ndarray


@dataclass(frozen=True)
class Person:
    """One participant of a folder: every second one is depressed, and `looks` says how strongly the face shows it."""

    number: str
    part: str
    depressed: bool
    phq8: int
    looks: float = 0.0


@dataclass(frozen=True)
class Scene:
    """What interviews are made of.

    Parameters
    ----------
    counts : dict of str to int
        Participants of each official part.
    layout : str
        ``daic-woz`` or ``e-daic``.
    voice_tells, ellie_tells : bool
        Whether the mood of the participant's turns, or of the interviewer's, is the label's.
    face : callable, optional
        From a person to how strongly the face shows depression; None for no files of OpenFace.
    slow : callable, optional
        From a person to seconds until an answer comes.
    silent : bool
        Whether nobody says anything: digital silence.
    """

    counts: dict[str, int] = field(default_factory=lambda: {"train": 12, "dev": 8, "test": 8})
    layout: str = "daic-woz"
    voice_tells: bool = True
    ellie_tells: bool = False
    face: Callable[[Person], float] | None = None
    slow: Callable[[Person], float] = lambda _: 0.3
    silent: bool = False


class Bank:
    """A few utterances of a few speakers, in memory: decoding is what costs."""

    def __init__(self, source: RecordedVoices, n_speakers: int = 7, n_takes: int = 3) -> None:
        self.name, self.speakers = source.name, sorted(change_speakers(source.utterances))[:n_speakers]
        self._said: dict[tuple[str, Mood], list[Samples]] = {}
        for speaker in self.speakers:
            for mood in (Mood.NEUTRAL, Mood.SAD):
                mine = [u for u in source.utterances if u.speaker == speaker and u.mood == mood][:n_takes]
                self._said[speaker, mood] = [source.load(u)[: int(LONGEST_S * RATE_HZ)] for u in mine]

    def say(self, speaker: str, mood: Mood, take: int) -> Samples:
        mine = self._said[speaker, mood]
        return mine[take % len(mine)]


def voices() -> Bank:
    """Return RAVDESS where ``AFFECT_CORPORA`` names a folder of recordings, else the packaged bank."""
    corpora = os.environ.get("AFFECT_CORPORA")
    return Bank(corpus_voices(Path(corpora) / "ravdess"), n_speakers=22) if corpora else Bank(packaged_voices())


def people_of(scene: Scene) -> list[Person]:
    found, number = [], 302 if scene.layout == "daic-woz" else 602
    for part, count in scene.counts.items():
        for index in range(count):
            depressed = index % 2 == 0
            found.append(Person(str(number), part, depressed, 10 + index % 9 if depressed else index % 9))
            number += 1
    return found


def write_interviews(folder: Path, source: Bank, scene: Scene) -> list[Person]:
    """Write a folder of interviews; return who is in it."""
    folder.mkdir(parents=True, exist_ok=True)
    people = people_of(scene)
    ellie, *others = source.speakers
    thirds = {part: others[i::3] for i, part in enumerate(scene.counts)}  # no voice is in two parts
    for index, person in enumerate(people):
        mine = thirds[person.part][index // 2 % len(thirds[person.part])]  # who is depressed is not who speaks
        write_interview(folder, source, scene, person, (mine, ellie), index)
    for part in scene.counts:
        rows = [p for p in people if p.part == part]
        write_split(folder, part, rows, scene.layout)
    return people


def write_split(folder: Path, part: str, rows: list[Person], layout: str = "daic-woz") -> None:
    if layout == "e-daic":
        lines = ["Participant_ID,Gender,PHQ_Binary,PHQ_Score,PCL-C (PTSD),PTSD Severity"]
        lines += [f"{p.number},female,{int(p.depressed)},{p.phq8},0,20" for p in rows]
        (folder / f"{part}_split.csv").write_text("\n".join(lines) + "\n")
        return
    eight = "" if part == "test" else "8"
    lines = [f"Participant_ID,PHQ{eight}_Binary,PHQ{eight}_Score,Gender"]
    lines += [f"{p.number},{int(p.depressed)},{p.phq8},0" for p in rows]
    (folder / SPLIT_FILES[part]).write_text("\n".join(lines) + "\n")


def write_interview(
    folder: Path, source: Bank, scene: Scene, person: Person, speakers: tuple[str, str], index: int
) -> None:
    session = folder / f"{person.number}_P"
    session.mkdir()
    told = Mood.SAD if person.depressed else Mood.NEUTRAL
    plain = Mood.NEUTRAL if index % 4 < 2 else Mood.SAD  # as often in one group as in the other
    pieces, turns, now = [np.zeros(RATE_HZ // 2, np.float32)], [], 0.5
    for take in range(3):
        mood = told if scene.ellie_tells else Mood.NEUTRAL
        for who, name, feeling, wait in (
            ("Ellie", speakers[1], mood, 0.3),
            ("Participant", speakers[0], told if scene.voice_tells else plain, scene.slow(person)),
        ):
            said = source.say(name, feeling, index + take) * (not scene.silent)
            pieces += [np.zeros(round(wait * RATE_HZ), np.float32), said]
            turns.append((now + wait, now + wait + said.size / RATE_HZ, who))
            now = turns[-1][1]
    sf.write(session / f"{person.number}_AUDIO.wav", np.concatenate(pieces), RATE_HZ)
    write_transcript(session, person.number, turns, scene.layout)
    if scene.face is not None:
        write_face(session, person.number, scene.face(person), scene.layout, int(person.number))


def write_transcript(session: Path, number: str, turns: list[tuple[float, float, str]], layout: str) -> None:
    if layout == "e-daic":
        lines = ["Start_Time,End_Time,Text,Confidence"]
        lines += [f"{a:.2f},{b:.2f},words,0.93" for a, b, who in turns if who == "Participant"]
        (session / f"{number}_Transcript.csv").write_text("\n".join(lines) + "\n")
        return
    lines = ["start_time\tstop_time\tspeaker\tvalue", *(f"{a:.3f}\t{b:.3f}\t{who}\twords" for a, b, who in turns)]
    (session / f"{number}_TRANSCRIPT.csv").write_text("\n".join(lines) + "\n")


def write_face(session: Path, number: str, shows: float, layout: str, seed: int, n_frames: int = 90) -> None:
    """Write what OpenFace would of three seconds; a tenth of the frames is lost, with numbers that are far off."""
    rng = np.random.default_rng(seed)
    names = [*AUS, *GAZE, *POSE]
    values = dict(zip(names, rng.normal(0, 0.1, (len(names), n_frames)), strict=True))
    for name in AUS:
        values[name] = np.abs(values[name]) + 0.5 if name.endswith("_r") else rng.integers(0, 2, n_frames)
    values["AU04_r"] = values["AU04_r"] + 0.4 * shows  # the brow lowers
    values["AU12_r"] = np.maximum(values["AU12_r"] - 0.2 * shows, 0)  # the smile goes
    values["Rx"] = values["Rx"] + 0.1 * shows  # the head sinks
    for eye in (0, 1):
        values[f"y_{eye}"], values[f"z_{eye}"] = values[f"y_{eye}"] + 0.1 * shows, np.full(n_frames, -0.95)
    lost = np.arange(n_frames) % 10 == 9
    frame = {
        "frame": np.arange(1, n_frames + 1), "timestamp": np.arange(n_frames) / 30,
        "confidence": np.where(lost, 0.2, 0.97), "success": np.where(lost & (np.arange(n_frames) % 20 == 9), 0, 1),
    }  # fmt: skip
    values = {name: np.where(lost, 99.0, value) for name, value in values.items()}
    if layout == "daic-woz":
        for suffix, columns in (("AUs", AUS), ("gaze", GAZE), ("pose", POSE)):
            table(session / f"{number}_CLNF_{suffix}.txt", {**frame, **{n: values[n] for n in columns}}, ", ")
        return
    renamed = {f"pose_{n}": values[n] for n in POSE}
    renamed |= {f"gaze_{eye}_{axis}": values[f"{axis}_{eye}"] for eye in (0, 1) for axis in "xyz"}
    renamed |= {n: values[n] for n in AUS} | {n: np.full(n_frames, 0.3) for n in AU_45}
    (session / "features").mkdir()
    table(session / "features" / f"{number}_OpenFace2.1.0_Pose_gaze_AUs.csv", {**frame, **renamed}, ",")


def table(path: Path, columns: dict[str, Samples], separator: str) -> None:
    rows = [separator.join(columns)]
    rows += [separator.join(f"{value:.6g}" for value in row) for row in zip(*columns.values(), strict=True)]
    path.write_text("\n".join(rows) + "\n")
