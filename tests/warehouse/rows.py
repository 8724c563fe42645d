"""Small, valid rows for warehouse tests."""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import pandas as pd

from affect_pipeline.errors import QuestionnaireError
from affect_pipeline.journals.questionnaires import Answers, Arrival, accepted, refused
from affect_pipeline.monitoring.channels import VOICE

BIOMARKERS = (
    "f0_median_hz", "f0_range_st", "f0_sd_st", "voiced_ratio", "speech_rate_hz", "pause_rate_per_min", "pause_mean_s",
    "energy_mean_db", "energy_sd_db", "spectral_slope_db_per_octave", "spectral_centroid_hz", "spectral_flatness",
)  # fmt: skip


def digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def key(text: str) -> str:
    return digest(text)[:32]


MODEL = digest("model")
DAY = dt.date(2026, 1, 5)


def journal(name: str = "one", **changes: Any) -> dict[str, Any]:
    return {
        "journal_id": digest(name),
        "patient_key": key("patient"),
        "night": DAY,
        "delivery_key": key(f"delivery {name}"),
        "recorded_at": dt.datetime(2026, 1, 5, 7, 12, tzinfo=dt.UTC),
        "local_day": DAY,
        "time_zone": "Europe/Berlin",
        "device": "phone",
        "prompt": "day",
        "language": "de",
        "clinic": "north",
        "n_bytes": 1000,
        "audio_format": "wav",
        "problem": None,
    } | changes


def score(name: str = "one", **changes: Any) -> dict[str, Any]:
    return {
        "local_day": DAY,
        "journal_id": digest(name),
        "patient_key": key("patient"),
        "model_digest": MODEL,
        "depression_probability": 0.25,
        "depression_logit": -1.1,
        "depression_logit_se": 0.3,
        "valence": 0.1,
        "valence_se": 0.05,
        "arousal": -0.2,
        "arousal_se": 0.05,
        "n_windows": 2,
    } | changes


def biomarkers(name: str = "one", **changes: Any) -> dict[str, Any]:
    values = {column: 1.0 + index / 3 for index, column in enumerate(BIOMARKERS)}
    return {"local_day": DAY, "journal_id": digest(name), "patient_key": key("patient")} | values | changes


def monitored_day(name: str = "patient", **changes: Any) -> dict[str, Any]:
    """Return a day with no value and no judgement but those given."""
    empty: dict[str, Any] = {"statistic": None, "limit_value": None, "signal": None}
    for channel in VOICE:
        empty[channel.name] = None
        empty |= {f"{channel.name}_{part}": None for part in ("expected", "half_band", "level")}
        empty |= {f"{channel.name}_se": None} if channel.se_source else {}
    whose = {"patient_key": key(name), "model_digest": MODEL, "local_day": DAY, "n_journals": 1}
    return whose | empty | changes


def patient(name: str = "patient", **changes: Any) -> dict[str, Any]:
    return {
        "patient_key": key(name),
        "clinic": "north",
        "time_zone": "Europe/Berlin",
        "language": "de",
        "sex": "f",
        "age_band": "30-39",
        "profile_at": dt.datetime(2026, 1, 5, 7, 12, tzinfo=dt.UTC),
        "profile_delivery": key("delivery one"),
        "first_night": DAY,
        "consent_withdrawn_night": None,
    } | changes


def alert(name: str = "alert", **changes: Any) -> dict[str, Any]:
    return {
        "alert_id": key(name),
        "patient_key": key("patient"),
        "model_digest": MODEL,
        "kind": "drift",
        "direction": "worsening",
        "severity": "high",
        "state": "open",
        "opened_night": DAY,
        "opened_day": DAY,
        "onset_day": DAY,
        "onset_low": DAY,
        "onset_high": DAY,
        "last_night": DAY,
        "resolved_night": None,
        "score": 3.5,
        "channels": {"depression": 2.5},
        "explanation": "sounds different",
        "evidence": {"limit": 3.0},
    } | changes


def phq(name: str, day: dt.date, items: Sequence[int]) -> dict[str, Any]:
    """Return PHQ answers of a day, a row of questionnaires: PHQ-9 or, with eight items, PHQ-8."""
    at = dt.datetime.combine(day, dt.time(9), dt.UTC)
    answers = Answers("PHQ-9" if len(items) == 9 else "PHQ-8", tuple(items), at, day)
    row = accepted(answers, Arrival(key(f"phq {name} {day}"), key(name), day, "file"))
    return asdict(row) | {"items": list(items)}


def refused_phq(name: str, day: dt.date) -> dict[str, Any]:
    """Return answers that were refused, though the ninth could be read."""
    arrival = Arrival(key(f"refused {name} {day}"), key(name), day, "file")
    return asdict(refused(QuestionnaireError("total_mismatch", "the total is not the sum"), arrival, item_9=1))


def frame(*rows: dict[str, Any]) -> pd.DataFrame:
    return pd.DataFrame(list(rows))
