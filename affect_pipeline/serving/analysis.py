"""From the bytes of one recording to an answer in numbers and words."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from affect_pipeline.errors import JournalError
from affect_pipeline.serving import words
from affect_pipeline.serving.problems import Problem

if TYPE_CHECKING:
    import numpy as np

    from affect_pipeline.journals.decode import DecodedAudio
    from affect_pipeline.model.scorer import JournalScore

Z_95 = 1.959964
"""Half width of a 95 % interval, in standard errors."""

RECOMMENDATIONS = {
    "typical": "Nothing in this recording stands out. One recording says little: look at the trend.",
    "elevated": "This recording sounds lower in mood than most. Compare it with the person's own trend and ask how "
    "they are; decide on what they say, not on this number.",
    "uncertain": "This recording can be read either way. Record again, or wait for more journals.",
}


@dataclass(frozen=True)
class Heard:
    """A recording that can be used, measured and prepared for the model.

    Parameters
    ----------
    prepared : numpy.ndarray
        16 kHz mono int16, trimmed and levelled, shape (n_samples,).
    quality, biomarkers : dict
        Metric by name; None where it is undefined.
    warnings : tuple of str
        Expectations that only warn, in words.
    """

    prepared: np.ndarray
    quality: dict[str, float | None]
    biomarkers: dict[str, float | None]
    warnings: tuple[str, ...]


@dataclass(frozen=True)
class Calibration:
    """What a score needs to become a probability.

    Parameters
    ----------
    digest : str
        Digest of the model.
    temperature : float
        Divides the logit before the sigmoid.
    disclaimer : str
        What is said with every score of it.
    """

    digest: str
    temperature: float
    disclaimer: str = words.OF_ACTED_SPEECH


def hear(content: bytes, max_bytes: int, max_duration_s: float) -> Heard:
    """Decode, measure and judge one recording.

    Parameters
    ----------
    content : bytes
        The file. It is decoded in a process of its own, in memory.
    max_bytes : int
        Largest file, in bytes.
    max_duration_s : float
        Longest recording, in seconds.

    Raises
    ------
    Problem
        422 with the reason if the recording cannot be used.
    """
    from affect_pipeline.journals.decode import DecodeLimits
    from affect_pipeline.journals.sandbox import decode_apart

    try:
        decoded = decode_apart(content, DecodeLimits(max_bytes=max_bytes, max_duration_s=max_duration_s))
    except JournalError as error:
        raise unusable(error.reason, error.detail) from None
    return measure(decoded)


def measure(decoded: DecodedAudio) -> Heard:
    """Measure and judge decoded audio.

    Parameters
    ----------
    decoded : DecodedAudio
        Mono samples with their rate.

    Raises
    ------
    Problem
        422 with the reason if the recording cannot be used.
    """
    from affect_pipeline.acoustics.measure import measure_audio
    from affect_pipeline.serving.judging import judge

    try:
        measured = measure_audio(decoded)
    except JournalError as error:
        raise unusable(error.reason, error.detail) from None
    quality, biomarkers = _finite(asdict(measured.quality)), _finite(asdict(measured.biomarkers))
    failed, warned = judge(quality)
    if failed or not len(measured.prepared):
        names = failed or ("no_speech",)
        detail = f"{'; '.join(map(words.reason_in_words, names))}."
        raise unusable(names[0], detail, failed=list(names), measured=quality)
    return Heard(measured.prepared, quality, biomarkers, tuple(map(words.reason_in_words, warned)))


def unusable(reason: str, detail: str = "", **extra: Any) -> Problem:
    """Return the answer to a recording that cannot be used."""
    text = detail or f"{words.reason_in_words(reason)}."
    return Problem(
        422,
        "recording-not-usable",
        "This recording cannot be used",
        text[:1].upper() + text[1:],
        reason=reason,
        **extra,
    )


def describe(heard: Heard, score: JournalScore, model: Calibration) -> dict[str, Any]:
    """Return the answer for one recording, as `schemas.Analysis`.

    Parameters
    ----------
    heard : Heard
        The recording.
    score : JournalScore
        What the model said.
    model : Calibration
        The model that said it.
    """
    depression = estimate(score, model)
    status = status_of(depression["depression"])
    return {
        **depression,
        "depression_probability": depression["depression"]["value"],
        "emotional_valence": score.valence,
        "status": status,
        "recommendation": RECOMMENDATIONS[status],
        "biomarkers": heard.biomarkers,
        "biomarkers_in_words": words.biomarkers_in_words(heard.biomarkers),
        "quality": {
            "verdict": "warned" if heard.warnings else "accepted",
            "warnings": list(heard.warnings),
            "measured": heard.quality,
        },
        "n_windows": score.n_windows,
        "model_version": model.digest,
        "disclaimer": model.disclaimer,
    }


def estimate(score: JournalScore, model: Calibration) -> dict[str, dict[str, float]]:
    """Return depression probability, valence and arousal, each with its 95 % interval.

    The interval of the probability is made on the logit scale, so that it stays within 0 and 1.
    """
    half = Z_95 * score.depression_logit_se
    low, high = (_sigmoid((score.depression_logit + side) / model.temperature) for side in (-half, half))
    return {
        "depression": {"value": score.depression_probability, "low": low, "high": high},
        "valence": _interval(score.valence, score.valence_se),
        "arousal": _interval(score.arousal, score.arousal_se),
    }


def status_of(depression: dict[str, float]) -> str:
    """Return ``elevated`` or ``typical`` if the whole interval lies on one side of one half, else ``uncertain``."""
    if depression["low"] > 0.5:
        return "elevated"
    return "typical" if depression["high"] < 0.5 else "uncertain"


def _interval(value: float, se: float) -> dict[str, float]:
    half = Z_95 * se
    return {"value": value, "low": max(-1.0, value - half), "high": min(1.0, value + half)}


def _finite(values: dict[str, Any]) -> dict[str, float | None]:
    return {name: float(x) if x is not None and math.isfinite(x) else None for name, x in values.items()}


def _sigmoid(x: float) -> float:
    return 1.0 / (1.0 + math.exp(-x)) if x >= 0 else math.exp(x) / (1.0 + math.exp(x))
