"""What a reader says about one recording of a corpus."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

EMOTIONS = ("neutral", "calm", "happy", "sad", "angry", "fearful", "disgust", "surprised")

SAME_WORD = {
    "neutral": "neutral", "neu": "neutral", "normal": "neutral", "calm": "calm",
    "happy": "happy", "happiness": "happy", "joy": "happy", "hap": "happy", "exc": "happy", "excited": "happy",
    "sad": "sad", "sadness": "sad", "angry": "angry", "anger": "angry", "ang": "angry",
    "fearful": "fearful", "fear": "fearful", "fea": "fearful", "disgust": "disgust", "dis": "disgust",
    "surprised": "surprised", "surprise": "surprised", "sur": "surprised", "ps": "surprised",
    "pleasant_surprise": "surprised", "pleasant_surprised": "surprised",
}  # fmt: skip
"""Words of corpora for the same emotion; what is not here (boredom, frustration) has no emotion of ours."""


@dataclass(frozen=True)
class Recording:
    """One recording, or the parts of one, by one speaker.

    Parameters
    ----------
    path : Path
        Audio file.
    corpus, language : str
        Name of the corpus; ISO 639-1 language, ``und`` if not known.
    speaker : str
        Unique within the corpus.
    emotion : str, optional
        One of `EMOTIONS`; None if the label is another, or there is none.
    sex : str, optional
        ``f`` or ``m``.
    age : int, optional
        In years.
    valence, arousal : float, optional
        Rated, in [-1, 1].
    phq8 : int, optional
        Score of the questionnaire, 0 to 24.
    depressed : bool, optional
        The corpus' own binary label (PHQ-8 of 10 or more).
    split : str, optional
        Official part: ``train``, ``dev`` or ``test``.
    parts_s : tuple of (float, float)
        Spans of the file that are this speaker's, in seconds; empty means all of it.
    """

    path: Path
    corpus: str
    language: str
    speaker: str
    emotion: str | None = None
    sex: str | None = None
    age: int | None = None
    valence: float | None = None
    arousal: float | None = None
    phq8: int | None = None
    depressed: bool | None = None
    split: str | None = None
    parts_s: tuple[tuple[float, float], ...] = ()

    @property
    def age_band(self) -> str | None:
        """Decade of life, such as ``30-39``, as journals tell it."""
        return None if self.age is None else f"{self.age // 10 * 10}-{self.age // 10 * 10 + 9}"


def emotion_word(label: str) -> str | None:
    """Return our word for a corpus' label, None if it has none."""
    return SAME_WORD.get(label.strip().lower().replace(" ", "_"))
