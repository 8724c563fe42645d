"""What is sent or left out as one: the resources of a journal, an alert or a questionnaire."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any, Literal

import sqlalchemy as sa

from affect_pipeline.interop.alerts import alert_in_error, flag, task
from affect_pipeline.interop.codes import JsonObject
from affect_pipeline.interop.questionnaires import response_in_error, response_name, response_resource
from affect_pipeline.interop.scores import device, media, observation, observation_in_error
from affect_pipeline.nights import Nights

Kind = Literal["journal", "alert", "questionnaire"]

TYPES: dict[str, tuple[str, ...]] = {
    "journal": ("Observation", "Media"),
    "alert": ("Task", "Flag"),
    "questionnaire": ("QuestionnaireResponse",),
}
"""Resources of each kind, what refers before what is referred to: the order in which they can be deleted."""

PAGE = 2000


@dataclass(frozen=True)
class Unit:
    """Resources that belong together.

    Parameters
    ----------
    kind : str
        ``journal``, ``alert`` or ``questionnaire``.
    name : str
        Value of the identifier that its resources share.
    patient_key : str
        Whose it is.
    night : date
        Night it arrived on, or was raised on.
    resources : tuple of dict
        The resources, what is referred to first.
    model_digest : str, optional
        Model version that one of them refers to as a device.
    """

    kind: Kind
    name: str
    patient_key: str
    night: date
    resources: tuple[JsonObject, ...]
    model_digest: str | None = None

    @property
    def digest(self) -> str:
        """SHA-256 of the resources, hex."""
        return hashlib.sha256(json.dumps(self.resources, sort_keys=True).encode()).hexdigest()


def journals(connection: sa.Connection, nights: Nights, patient_key: str | None = None) -> Iterator[Unit]:
    """Yield the journals of the nights that were scored or quarantined, patient by patient."""
    for row in _rows(connection, "list_readings", nights, patient_key):
        recording = media(row)
        resources = (observation(row),) if recording is None else (recording, observation(row))
        yield Unit("journal", row["journal_id"], row["patient_key"], row["night"], resources, row["model_digest"])


def alerts(connection: sa.Connection, nights: Nights, patient_key: str | None = None) -> Iterator[Unit]:
    """Yield the alerts that were raised on the nights, as they stand now, patient by patient."""
    for row in _rows(connection, "list_alerts", nights, patient_key):
        resources = (flag(row), task(row))
        yield Unit("alert", row["alert_id"], row["patient_key"], row["opened_night"], resources, row["model_digest"])


def questionnaires(connection: sa.Connection, nights: Nights, patient_key: str | None = None) -> Iterator[Unit]:
    """Yield the questionnaires that arrived on the nights, patient by patient."""
    for row in _rows(connection, "list_questionnaires", nights, patient_key):
        yield Unit(
            "questionnaire", response_name(row), row["patient_key"], row["night"], (response_resource(row),)
        )  # fmt: skip


def devices(connection: sa.Connection) -> dict[str, JsonObject]:
    """Return every model version as a device, by its digest."""
    rows = connection.execute(_query("list_models")).mappings()
    return {row["model_digest"]: device(dict(row)) for row in rows}


def device_of(devices: Mapping[str, JsonObject], model_digest: str) -> JsonObject:
    """Return the device with that digest; where nothing more is known of the model, the digest has to do."""
    bare = {"model_digest": model_digest, "name": "voice model", "registry_version": None, "description": None}
    return devices.get(model_digest) or device(bare)


def in_error(kind: Kind, name: str, patient_key: str, night: date) -> Unit:
    """Return what tells others that something sent before does not stand any more."""
    resources: tuple[JsonObject, ...]
    if kind == "journal":
        resources = (observation_in_error(name, patient_key),)
    elif kind == "alert":
        resources = alert_in_error(name, patient_key)
    else:
        resources = (response_in_error(name, patient_key),)
    return Unit(kind, name, patient_key, night, resources)


def _rows(connection: sa.Connection, name: str, nights: Nights, patient_key: str | None) -> Iterator[Mapping[str, Any]]:
    values = {"first_night": nights.first, "last_night": nights.last, "patient_key": patient_key}
    with connection.execution_options(yield_per=PAGE).execute(_query(name), values) as result:
        yield from map(dict, result.mappings())


def _query(name: str) -> sa.TextClause:
    from affect_pipeline.warehouse.queries import sql

    return sa.text(sql(f"interop/{name}"))
