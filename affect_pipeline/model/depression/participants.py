"""One row a participant: what was measured of each modality over the whole interview, and the questionnaire."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from affect_pipeline.errors import CorpusError
from affect_pipeline.model.corpora import Recording
from affect_pipeline.model.corpora.depression import PHQ8_CUT, read_turns
from affect_pipeline.model.depression import face, timing
from affect_pipeline.model.embed import Embedded, embed
from affect_pipeline.model.encoder import AffectiveEncoder

Array = NDArray[np.float64]
VOICE, FACE, TIMING = "voice", "face", "timing"
MODALITIES = (VOICE, FACE, TIMING)


@dataclass(frozen=True)
class Participants:
    """Everything that heads for depression are fitted on and judged by.

    Parameters
    ----------
    who : tuple of str
        Corpus and participant, one a row.
    split : ndarray of str, shape (N,)
        Official part: ``train``, ``dev`` or ``test``.
    phq8 : ndarray, shape (N,)
        Score of the questionnaire, NaN if not known.
    depressed : ndarray, shape (N,)
        1 for a PHQ-8 of ten or more, 0 for less.
    features : dict of str to ndarray, shape (N, D)
        By modality. A row of NaN says that the modality is missing.
    """

    who: tuple[str, ...]
    split: NDArray[np.str_]
    phq8: Array
    depressed: Array
    features: dict[str, Array]

    def where(self, chosen: NDArray[np.bool_]) -> Participants:
        """Return some of the rows."""
        return Participants(
            tuple(name for name, kept in zip(self.who, chosen, strict=True) if kept),
            self.split[chosen], self.phq8[chosen], self.depressed[chosen],
            {name: values[chosen] for name, values in self.features.items()},
        )  # fmt: skip

    def only(self, modalities: Sequence[str]) -> Participants:
        """Return the same people with the other modalities missing."""
        kept = {n: v if n in modalities else np.full_like(v, np.nan) for n, v in self.features.items()}
        return Participants(self.who, self.split, self.phq8, self.depressed, kept)


def is_clinical(recording: Recording) -> bool:
    """Return whether a recording comes with a questionnaire's answer, or the corpus' own label from one."""
    return recording.phq8 is not None or recording.depressed is not None


def gather(
    encoder: AffectiveEncoder,
    recordings: Sequence[Recording],
    modalities: Sequence[str] = (VOICE,),
    work: Path | None = None,
    done: Callable[[], None] | None = None,
) -> tuple[Participants, Embedded]:
    """Measure participants.

    Parameters
    ----------
    encoder : AffectiveEncoder
        Hears the voices; their features are its standardised embeddings, averaged over all windows.
    recordings : sequence of Recording
        Interviews; those without a label or an official part are passed over.
    modalities : sequence of str
        Some of `MODALITIES`, the voice among them.
    work : Path, optional
        Keeps embeddings between runs.
    done : callable, optional
        Called after each recording.

    Returns
    -------
    Participants, Embedded
        Sorted by name; and the windows of their voices, whose ``recording`` is a row of the participants.

    Raises
    ------
    CorpusError
        If a modality is unknown, nobody is labelled, or somebody is in two official parts.
    """
    unknown = sorted(set(modalities) - set(MODALITIES))
    if unknown or VOICE not in modalities:
        raise CorpusError(f"modalities are {', '.join(MODALITIES)}, the voice always; not {', '.join(modalities)}")
    labelled = [r for r in recordings if is_clinical(r) and r.split]
    if not labelled:
        raise CorpusError("nobody has both a PHQ-8 label and an official part of the corpus")
    check_parts(labelled)
    who = sorted({_name(r) for r in labelled})
    embedded = embed(encoder, labelled, cache=work, done=done)
    rows = np.array([who.index(_name(r)) for r in labelled], np.int64)
    windows = Embedded(embedded.raw, rows[embedded.recording], embedded.copy, embedded.seconds)
    first = [next(r for r in labelled if _name(r) == name) for name in who]
    features = {VOICE: _voices(encoder, windows, len(who))}
    if FACE in modalities:
        features[FACE] = np.stack([face.face_features(r.path.parent, r.speaker) for r in first])
    if TIMING in modalities:
        features[TIMING] = np.stack([timing.timing_features(read_turns(r.path.parent, r.speaker)) for r in first])
    found = Participants(
        tuple(who),
        np.array([str(r.split) for r in first]),
        np.array([np.nan if r.phq8 is None else r.phq8 for r in first], np.float64),
        np.array([_depressed(r) for r in first], np.float64),
        features,
    )
    return found, windows


def check_parts(recordings: Sequence[Recording]) -> None:
    """Refuse interviews of one person in two official parts.

    E-DAIC holds the people of DAIC-WOZ under the same numbers and parts them anew, so numbers count, not corpora.

    Raises
    ------
    CorpusError
        If there are any.
    """
    parts: dict[str, str] = {}
    for recording in recordings:
        part = str(recording.split)
        if parts.setdefault(recording.speaker, part) != part:
            raise CorpusError(
                f"participant {recording.speaker} is in the parts {parts[recording.speaker]} and {part}; E-DAIC parts "
                "the people of DAIC-WOZ anew: train on one of the two"
            )


def _name(recording: Recording) -> str:
    return f"{recording.corpus}/{recording.speaker}"


def _depressed(recording: Recording) -> bool:
    return bool(recording.depressed) if recording.phq8 is None else recording.phq8 >= PHQ8_CUT


def _voices(encoder: AffectiveEncoder, windows: Embedded, n: int) -> Array:
    """Return mean embeddings (n, E), as the scorer averages a journal's windows; NaN for who says nothing."""
    with torch.inference_mode():
        z = encoder.standardise(torch.from_numpy(windows.raw)).double().numpy()
    present, means = windows.mean_by_recording(z)
    found = np.full((n, z.shape[1]), np.nan)
    found[present] = means
    return found
