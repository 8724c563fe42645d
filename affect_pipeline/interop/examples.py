"""Made-up resources for documentation, made by the code that makes the real ones."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import Any

from affect_pipeline.interop.alerts import flag, task
from affect_pipeline.interop.codes import JsonObject, code_system
from affect_pipeline.interop.questionnaires import response_resource
from affect_pipeline.interop.scores import device, media, observation, patient

DAY = date(2026, 1, 5)
MODEL = hashlib.sha256(b"an example of a model").hexdigest()
PATIENT = hashlib.sha256(b"an example of a patient").hexdigest()[:32]


def reading(**changes: Any) -> dict[str, Any]:
    """Return a row as ``interop/list_readings`` gives it."""
    return {
        "journal_id": hashlib.sha256(b"an example of a journal").hexdigest(), "patient_key": PATIENT, "night": DAY,
        "recorded_at": datetime(2026, 1, 5, 7, 12, tzinfo=UTC), "local_day": DAY, "device": "phone",
        "n_bytes": 1_280_044, "audio_format": "flac", "problem": None, "status": "accepted", "failed": [],
        "duration_s": 41.2, "model_digest": MODEL, "depression_probability": 0.62, "depression_logit": 0.4895,
        "depression_logit_se": 0.31,
        "valence": -0.21, "valence_se": 0.06, "arousal": -0.34, "arousal_se": 0.05, "depression_expected": -0.4,
        "depression_half_band": 0.9, "valence_expected": 0.02, "valence_half_band": 0.18, "arousal_expected": -0.1,
        "arousal_half_band": 0.16,
    } | changes  # fmt: skip


def quarantined(**changes: Any) -> dict[str, Any]:
    """Return the row of a recording that was not scored."""
    unheard = {
        name: None for name in reading() if name.partition("_")[0] in ("model", "depression", "valence", "arousal")
    }
    return reading() | unheard | {"status": "quarantined", "failed": ["snr_at_least"]} | changes


def alert(**changes: Any) -> dict[str, Any]:
    """Return a row as ``interop/list_alerts`` gives it."""
    return {
        "alert_id": hashlib.sha256(b"an example of an alert").hexdigest()[:32], "patient_key": PATIENT,
        "model_digest": MODEL, "direction": "worsening", "severity": "high", "state": "acknowledged",
        "opened_night": DAY, "onset_day": date(2025, 12, 29), "onset_low": date(2025, 12, 27),
        "onset_high": date(2025, 12, 31), "resolved_night": None, "last_action": "acknowledged",
        "explanation": "Sounds different, in the direction of worse mood, since about 29 Dec 2025.",
    } | changes  # fmt: skip


def answers(**changes: Any) -> dict[str, Any]:
    """Return a row as ``interop/list_questionnaires`` gives it."""
    return {
        "questionnaire_id": hashlib.sha256(b"an example of answers").hexdigest(), "patient_key": PATIENT, "night": DAY,
        "answered_at": datetime(2026, 1, 5, 7, 20, tzinfo=UTC), "local_day": DAY, "items": [1, 2, 1, 2, 0, 1, 1, 0, 0],
        "total": 8,
    } | changes  # fmt: skip


def model(**changes: Any) -> dict[str, Any]:
    """Return a row as ``interop/list_models`` gives it."""
    return {"model_digest": MODEL, "name": "affect-wav2vec2", "registry_version": 3, "description": None} | changes


def _score() -> list[JsonObject]:
    recording = media(reading())
    assert recording is not None
    return [patient(PATIENT), device(model()), recording, observation(reading())]


EXAMPLES: dict[str, Callable[[], list[JsonObject]]] = {
    "score": _score,
    "absent": lambda: [observation(quarantined())],
    "alert": lambda: [flag(alert()), task(alert())],
    "questionnaire": lambda: [response_resource(answers())],
    "codes": lambda: [code_system()],
}
"""What can be printed, by name."""
