"""Readers of corpora of acted and elicited emotion, each in the layout that its authors distribute."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from pathlib import Path

from affect_pipeline.errors import CorpusError
from affect_pipeline.model.corpora.recording import EMOTIONS, Recording, emotion_word

AUDIO_SUFFIXES = (".wav", ".flac", ".ogg", ".opus", ".mp3")
RAVDESS_NAME = re.compile(r"03-01-(\d\d)-(\d\d)-(\d\d)-(\d\d)-(\d\d)")
RAVDESS_ORDER = ("neutral", "calm", "happy", "sad", "angry", "fearful", "disgust", "surprised")
EMODB_NAME = re.compile(r"(\d\d)([abc]\d\d)([WLEAFTN])([a-z]?)")
EMODB_LETTERS = {"W": "angry", "E": "disgust", "A": "fearful", "F": "happy", "T": "sad", "N": "neutral"}
EMODB_SPEAKERS = {
    "03": ("m", 31), "08": ("f", 34), "09": ("f", 21), "10": ("m", 32), "11": ("m", 26),
    "12": ("m", 30), "13": ("f", 32), "14": ("f", 35), "15": ("m", 25), "16": ("f", 31),
}  # fmt: skip
CREMA_NAME = re.compile(r"(\d{4})_([A-Z]{3})_([A-Z]{3})_([A-Z]{2})")
CREMA_WORDS = {"ANG": "angry", "DIS": "disgust", "FEA": "fearful", "HAP": "happy", "NEU": "neutral", "SAD": "sad"}
TESS_NAME = re.compile(r"([OY]AF)_([A-Za-z']+)_([A-Za-z]+)")
TESS_AGES = {"OAF": 64, "YAF": 26}
EMOSPEECH_NAME = re.compile(r"([^-]+)-([^-]+)-([a-z]+)-(\d+)-(\w+)")
EMOSPEECH_UNKNOWN = "d14a028c"
"""The id of "unknown user", under which many people spoke."""
IEMOCAP_LINE = re.compile(r"\[[\d.]+ - [\d.]+\]\s+(\S+)\s+(\w+)\s+\[([\d.]+), ([\d.]+), ([\d.]+)\]")
KNOWN_LANGUAGES = {
    "ravdess": "en", "emodb": "de", "emospeech-in": "en", "emotiontts-kr": "ko", "crema-d": "en", "tess": "en",
    "nemo": "pl", "iemocap": "en",
}  # fmt: skip


def read_manifest(folder: Path) -> Iterator[Recording]:
    """Read a folder with ``manifest.csv`` (path, speaker, label, and optionally language, sex, age)."""
    name = folder.name
    with (folder / "manifest.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    missing = {"path", "speaker", "label"} - set(rows[0] if rows else ())
    if missing:
        raise CorpusError(f"{folder / 'manifest.csv'} lacks the columns {sorted(missing)}")
    for row in rows:
        yield Recording(
            path=folder / row["path"],
            corpus=name,
            language=row.get("language") or KNOWN_LANGUAGES.get(name, "und"),
            speaker=row["speaker"],
            emotion=emotion_word(row["label"]),
            sex=row.get("sex") or _person(name, row["speaker"])[0],
            age=int(row["age"]) if row.get("age") else _person(name, row["speaker"])[1],
        )


def read_ravdess(folder: Path) -> Iterator[Recording]:
    """Read RAVDESS speech: ``Actor_01/03-01-06-01-02-01-12.wav``; songs and video are left out."""
    for path in audio_files(folder):
        if found := RAVDESS_NAME.fullmatch(path.stem):
            actor = found[5]
            sex = "m" if int(actor) % 2 else "f"
            yield Recording(path, "ravdess", "en", actor, RAVDESS_ORDER[int(found[1]) - 1], sex)


def read_emodb(folder: Path) -> Iterator[Recording]:
    """Read EmoDB: ``wav/03a01Fa.wav``; boredom has no emotion of ours."""
    for path in audio_files(folder):
        if found := EMODB_NAME.fullmatch(path.stem):
            sex, age = EMODB_SPEAKERS.get(found[1], (None, None))
            yield Recording(path, "emodb", "de", found[1], EMODB_LETTERS.get(found[3]), sex, age)


def read_crema_d(folder: Path) -> Iterator[Recording]:
    """Read CREMA-D: ``AudioWAV/1001_DFA_ANG_XX.wav`` and, if there, ``VideoDemographics.csv``."""
    people = {row["ActorID"]: row for path in folder.rglob("VideoDemographics.csv") for row in _rows(path)}
    for path in audio_files(folder):
        if found := CREMA_NAME.fullmatch(path.stem):
            person = people.get(found[1], {})
            sex, age = person.get("Sex", "")[:1].lower() or None, person.get("Age")
            emotion = CREMA_WORDS.get(found[3])
            yield Recording(path, "crema-d", "en", found[1], emotion, sex, int(age) if age else None)


def read_tess(folder: Path) -> Iterator[Recording]:
    """Read TESS: ``OAF_angry/OAF_back_angry.wav``; two women, ``ps`` is a pleasant surprise."""
    for path in audio_files(folder):
        if found := TESS_NAME.fullmatch(path.stem):
            yield Recording(path, "tess", "en", found[1], emotion_word(found[3]), "f", TESS_AGES[found[1]])


def read_nemo(folder: Path) -> Iterator[Recording]:
    """Read nEMO: ``data.tsv`` (file_id, emotion, speaker_id, gender, age) and a folder of samples."""
    files = {path.name: path for path in audio_files(folder)}
    for row in _rows(next(folder.rglob("data.tsv")), delimiter="\t"):
        path = files.get(Path(row["file_id"]).name)
        if path is None:
            raise CorpusError(f"data.tsv names {row['file_id']}, which is not under {folder}")
        age = row.get("age", "")
        yield Recording(
            path, "nemo", "pl", row["speaker_id"], emotion_word(row["emotion"]),
            row.get("gender", "")[:1].lower() or None, int(age) if age.isdigit() else None,
        )  # fmt: skip


def read_emospeech(folder: Path) -> Iterator[Recording]:
    """Read EmoSpeech: ``word-situation-emotion-time-speaker.wav``; the unknown user is several speakers."""
    for path in audio_files(folder):
        if found := EMOSPEECH_NAME.fullmatch(path.stem):
            speaker = found[5][:12]
            if speaker.startswith(EMOSPEECH_UNKNOWN):
                speaker = f"{speaker}-{found[4]}"
            yield Recording(path, "emospeech-in", "en", speaker, emotion_word(found[3]))


def read_iemocap(folder: Path) -> Iterator[Recording]:
    """Read IEMOCAP: ``Session*/sentences/wav`` with labels from ``dialog/EmoEvaluation``; 1..5 becomes -1..1."""
    for session in sorted(folder.glob("Session*")):
        labels = {
            found[1]: found
            for path in sorted((session / "dialog" / "EmoEvaluation").glob("*.txt"))
            for found in IEMOCAP_LINE.finditer(path.read_text())
        }
        for path in audio_files(session / "sentences" / "wav"):
            if found := labels.get(path.stem):
                sex = path.stem.rsplit("_", 1)[-1][0]
                valence, arousal = (float(found[i]) / 2 - 1.5 for i in (3, 4))
                yield Recording(
                    path, "iemocap", "en", path.stem[:5] + sex, emotion_word(found[2]), sex.lower(),
                    valence=valence, arousal=arousal,
                )  # fmt: skip


def audio_files(folder: Path) -> list[Path]:
    """Return the audio files under a folder, sorted, without the hidden ones that some archives hold."""
    return sorted(p for p in folder.rglob("*") if p.suffix.lower() in AUDIO_SUFFIXES and not p.name.startswith("."))


def _rows(path: Path, delimiter: str = ",") -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8-sig") as file:
        return list(csv.DictReader(file, delimiter=delimiter))


def _person(corpus: str, speaker: str) -> tuple[str | None, int | None]:
    """Return sex and age of a speaker where the corpus' own documentation tells them."""
    number = speaker.rsplit("_", 1)[-1]
    if corpus == "ravdess" and number.isdigit():
        return ("m" if int(number) % 2 else "f"), None
    return EMODB_SPEAKERS.get(number, (None, None)) if corpus == "emodb" else (None, None)


if set(RAVDESS_ORDER) != set(EMOTIONS):  # pragma: no cover - guards an edit of either
    raise AssertionError("RAVDESS names an emotion that is not ours")
