"""An alert as others see it: a Flag on the patient, and a Task for whoever looks after the patient."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from affect_pipeline.interop.codes import (
    ALERT_SYSTEM,
    BY_CODE,
    FLAG_CATEGORY,
    MODEL_SYSTEM,
    PROXY_NOTE,
    JsonObject,
    concept,
    foreign,
    reference,
    start,
)
from affect_pipeline.interop.scores import patient_reference

PRIORITIES = {"low": "routine", "moderate": "routine", "high": "urgent", "urgent": "asap"}
TASK_STATES = {"new": "requested", "acknowledged": "accepted"}


def flag(row: Mapping[str, Any]) -> JsonObject:
    """Return the flag of an alert: active while somebody should know, inactive once it is resolved.

    Parameters
    ----------
    row : Mapping
        A row of ``interop/list_alerts``.
    """
    period = {"start": row["opened_night"].isoformat()}
    if row["resolved_night"] is not None:
        period["end"] = row["resolved_night"].isoformat()
    return _flag(row["alert_id"], row["patient_key"]) | {
        "status": "inactive" if row["state"] == "resolved" else "active",
        "code": concept(row["direction"], row["explanation"]) if row["direction"] in BY_CODE else _words(row),
        "period": period,
        "author": reference("Device", MODEL_SYSTEM, row["model_digest"]),
    }


def task(row: Mapping[str, Any]) -> JsonObject:
    """Return what the care team is asked to do about an alert, and how far it has come.

    Parameters
    ----------
    row : Mapping
        A row of ``interop/list_alerts``. Who acted is not told: names of staff stay in the warehouse.
    """
    found = _task(row["alert_id"], row["patient_key"]) | {
        "status": _task_status(row),
        "businessStatus": {"text": row["state"]},
        "intent": "proposal",
        "priority": PRIORITIES.get(row["severity"], "routine"),
        "description": f"{row['explanation'] or row['direction']} {PROXY_NOTE}",
        "focus": reference("Flag", ALERT_SYSTEM, row["alert_id"]),
        "authoredOn": row["opened_night"].isoformat(),
        "requester": reference("Device", MODEL_SYSTEM, row["model_digest"]),
        "input": [{"type": concept("severity"), "valueString": row["severity"]}],
    }
    if row["onset_day"] is not None:
        found["input"].append({"type": concept("onset"), "valueDate": row["onset_day"].isoformat()})
    if row["onset_low"] is not None and row["onset_high"] is not None:
        between = {"start": row["onset_low"].isoformat(), "end": row["onset_high"].isoformat()}
        found["input"].append({"type": concept("onset"), "valuePeriod": between})
    return found


def alert_in_error(alert_id: str, patient_key: str) -> tuple[JsonObject, JsonObject]:
    """Return flag and task of an alert that does not stand any more: what was known was known wrongly."""
    code = {"code": {"text": "An alert that was taken back"}}
    return (
        _flag(alert_id, patient_key) | {"status": "entered-in-error"} | code,
        _task(alert_id, patient_key) | {"status": "entered-in-error", "intent": "proposal"},
    )


def _flag(alert_id: str, patient_key: str) -> JsonObject:
    return start("Flag", ALERT_SYSTEM, alert_id) | {
        "category": [foreign(FLAG_CATEGORY, "clinical", "Clinical"), concept("voice-monitoring")],
        "subject": patient_reference(patient_key),
    }


def _task(alert_id: str, patient_key: str) -> JsonObject:
    return start("Task", ALERT_SYSTEM, alert_id) | {
        "code": concept("review-alert"),
        "for": patient_reference(patient_key),
    }


def _task_status(row: Mapping[str, Any]) -> str:
    """Return the state: what people closed is completed, what passed by itself without anybody is cancelled."""
    if row["state"] == "resolved":
        return "cancelled" if row["last_action"] is None else "completed"
    return TASK_STATES[row["state"]]


def _words(row: Mapping[str, Any]) -> JsonObject:
    return {"text": row["explanation"] or row["direction"]}
