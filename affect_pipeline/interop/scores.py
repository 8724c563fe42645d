"""What was heard in a journal: Observation, the Media it was derived from, the Device that heard it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import UTC, date, datetime
from typing import Any

from affect_pipeline.interop.codes import (
    CATEGORY,
    DATA_ABSENT,
    JOURNAL_SYSTEM,
    MEDIA_TYPE,
    MODEL_SYSTEM,
    PATIENT_SYSTEM,
    PROXY_NOTE,
    SCORES,
    UCUM,
    Code,
    JsonObject,
    concept,
    foreign,
    reference,
    start,
)

CONTENT_TYPES = {
    "wav": "audio/wav", "flac": "audio/flac", "opus": "audio/ogg", "ogg": "audio/ogg", "mp3": "audio/mpeg",
    "m4a": "audio/mp4", "webm": "audio/webm",
}  # fmt: skip

DIGITS = 6
"""Decimals of values: far below any standard error."""


def patient(patient_key: str) -> JsonObject:
    """Return a patient: a pseudonym and nothing else."""
    return start("Patient", PATIENT_SYSTEM, patient_key)


def patient_reference(patient_key: str) -> JsonObject:
    """Return a reference to a patient."""
    return reference("Patient", PATIENT_SYSTEM, patient_key)


def device(row: Mapping[str, Any]) -> JsonObject:
    """Return a model version as a device.

    Parameters
    ----------
    row : Mapping
        With ``model_digest``, ``name``, ``registry_version``, ``description``.
    """
    versions = [{"type": {"text": "SHA-256 of weights and configuration"}, "value": row["model_digest"]}]
    if row["registry_version"] is not None:
        versions.append({"type": {"text": "version in the model registry"}, "value": str(row["registry_version"])})
    notes = [{"text": row["description"]}] if row["description"] else []
    return start("Device", MODEL_SYSTEM, row["model_digest"]) | {
        "deviceName": [{"name": row["name"], "type": "model-name"}],
        "type": concept("voice-model"),
        "version": versions,
        "note": [*notes, {"text": PROXY_NOTE}],
    }


def media(row: Mapping[str, Any]) -> JsonObject | None:
    """Return a recording by the hash of its content: what it was, not the sound.

    Parameters
    ----------
    row : Mapping
        A row of ``interop/list_readings``.

    Returns
    -------
    dict or None
        None if the bytes were never taken in, so that there is nothing to refer to.
    """
    if row["n_bytes"] is None:
        return None
    content: JsonObject = {
        "size": int(row["n_bytes"]),
        "title": "Voice journal; the sound stays where it was collected",
    }
    if row["audio_format"] in CONTENT_TYPES:
        content["contentType"] = CONTENT_TYPES[row["audio_format"]]
    found = start("Media", JOURNAL_SYSTEM, row["journal_id"]) | {
        "status": "completed",
        "type": foreign(MEDIA_TYPE, "audio", "Audio"),
        "subject": patient_reference(row["patient_key"]),
        "createdDateTime": moment(row["recorded_at"], row["local_day"]),
        "content": content,
    }
    if row["device"]:
        found["deviceName"] = row["device"]
    if row["duration_s"] is not None:
        found["duration"] = _rounded(row["duration_s"])
    return found


def observation(row: Mapping[str, Any]) -> JsonObject:
    """Return what one model version heard in a journal, or why nothing was.

    Parameters
    ----------
    row : Mapping
        A row of ``interop/list_readings``.
    """
    found = start("Observation", JOURNAL_SYSTEM, row["journal_id"]) | {
        "status": "final",
        "category": [
            # Not "survey", under which questionnaires are looked for: a recording is measured, as by an ECG.
            foreign(CATEGORY, "procedure", "Procedure"),
            concept("voice"),
        ],
        "code": concept("voice-journal-scores"),
        "subject": patient_reference(row["patient_key"]),
        "effectiveDateTime": moment(row["recorded_at"], row["local_day"]),
    }
    if row["n_bytes"] is not None:
        found["derivedFrom"] = [reference("Media", JOURNAL_SYSTEM, row["journal_id"])]
    if row["model_digest"] is None:
        return found | {"status": "cancelled", "dataAbsentReason": _why_absent(row)}
    return found | {
        "device": reference("Device", MODEL_SYSTEM, row["model_digest"]),
        "note": [{"text": PROXY_NOTE}],
        "component": [_component(code, row) for code in SCORES if row[_column(code)] is not None],
    }


def observation_in_error(journal_id: str, patient_key: str) -> JsonObject:
    """Return what a server is told of a journal that does not count any more."""
    return start("Observation", JOURNAL_SYSTEM, journal_id) | {
        "status": "entered-in-error",
        "code": concept("voice-journal-scores"),
        "subject": patient_reference(patient_key),
    }


def moment(at: datetime | None, day: date) -> str:
    """Return a moment in UTC, or the day where the moment is not known."""
    return day.isoformat() if at is None else at.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def _column(code: Code) -> str:
    return code.code.replace("-", "_")


def _component(code: Code, row: Mapping[str, Any]) -> JsonObject:
    found: JsonObject = {"code": concept(code.code), "valueQuantity": quantity(row[_column(code)], code.unit)}
    if band := _band(code, row):
        found["referenceRange"] = [band]
    return found


def _band(code: Code, row: Mapping[str, Any]) -> JsonObject | None:
    """Return the band of ordinary days of this patient; None before the baseline is ready, and for standard errors."""
    channel = code.code.partition("-")[0]
    if code.code.endswith("-se") or row[f"{channel}_expected"] is None:
        return None
    expected, half = float(row[f"{channel}_expected"]), float(row[f"{channel}_half_band"])
    low, middle, high = expected - half, expected, expected + half
    if code.code == "depression-probability":
        low, middle, high = map(_sigmoid, (low, middle, high))
    return {
        "low": quantity(low, code.unit),
        "high": quantity(high, code.unit),
        "type": concept("personal-baseline"),
        "text": f"ordinary days of this patient; expected {middle:.3f}",
    }


def _why_absent(row: Mapping[str, Any]) -> JsonObject:
    reasons = ", ".join([row["problem"]] if row["problem"] else row["failed"])
    if row["problem"]:
        return foreign(DATA_ABSENT, "error", "Error") | {"text": f"The recording could not be used: {reasons}"}
    return foreign(DATA_ABSENT, "not-performed", "Not Performed") | {
        "text": f"Not scored: the recording failed its quality checks ({reasons})"
    }


def quantity(value: float, unit: str) -> JsonObject:
    """Return a value with its UCUM unit."""
    return {"value": _rounded(value), "system": UCUM, "code": unit}


def _rounded(value: float) -> float:
    return round(float(value), DIGITS) + 0.0  # no negative zero


def _sigmoid(logit: float) -> float:
    return 1 / (1 + math.exp(-logit))
