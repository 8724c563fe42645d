"""Transaction bundles: what a server is asked to make true, whole or not at all.

Every entry is a conditional update (``PUT Observation?identifier=…``): a server that has the resource replaces it, one
that has not makes it, and the same bundle sent twice leaves what it left the first time. Within a bundle resources
refer to one another by the UUIDs of their entries; each holds the patient and devices it refers to, so that no bundle
leans on another.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from itertools import groupby
from typing import Any
from urllib.parse import quote

from affect_pipeline.errors import AffectError
from affect_pipeline.interop.codes import (
    ALERT_SYSTEM,
    JOURNAL_SYSTEM,
    PATIENT_SYSTEM,
    QUESTIONNAIRE_SYSTEM,
    JsonObject,
)
from affect_pipeline.interop.scores import patient
from affect_pipeline.interop.units import TYPES, Unit, device_of

UNITS_PER_BUNDLE = 50

SYSTEMS = {"journal": JOURNAL_SYSTEM, "alert": ALERT_SYSTEM, "questionnaire": QUESTIONNAIRE_SYSTEM}


class InvalidResource(AffectError):
    """A resource of ours is not valid FHIR: an error of this package, found before anybody else sees it."""


def transactions(units: Iterable[Unit], devices: Mapping[str, JsonObject]) -> Iterator[tuple[list[Unit], JsonObject]]:
    """Yield transaction bundles, each with the units it holds, all of one patient.

    Parameters
    ----------
    units : iterable of Unit
        Sorted by patient.
    devices : Mapping
        Devices by digest of the model.
    """
    for patient_key, of_patient in groupby(units, key=lambda unit: unit.patient_key):
        waiting: list[Unit] = []
        for unit in of_patient:
            waiting.append(unit)
            if len(waiting) == UNITS_PER_BUNDLE:
                yield waiting, transaction(patient_key, waiting, devices)
                waiting = []
        if waiting:
            yield waiting, transaction(patient_key, waiting, devices)


def transaction(patient_key: str, units: list[Unit], devices: Mapping[str, JsonObject]) -> JsonObject:
    """Return one bundle with the units of a patient.

    Raises
    ------
    InvalidResource
        If it is not valid.
    """
    models = sorted({unit.model_digest for unit in units if unit.model_digest is not None})
    resources = [patient(patient_key), *(device_of(devices, model) for model in models)]
    resources += [resource for unit in units for resource in unit.resources]
    return _bundle([_update(resource) for resource in resources])


def deletion(names: Iterable[tuple[str, str]], patient_key: str | None) -> JsonObject:
    """Return the bundle that takes away what was sent.

    Parameters
    ----------
    names : iterable of (str, str)
        Kind and name of each unit.
    patient_key : str or None
        Pseudonym of the patient who goes with them, if nothing else is left of that patient.
    """
    urls = [_conditional(kind_type, SYSTEMS[kind], name) for kind, name in names for kind_type in TYPES[kind]]
    urls += [] if patient_key is None else [_conditional("Patient", PATIENT_SYSTEM, patient_key)]
    return _bundle([{"request": {"method": "DELETE", "url": url}} for url in urls])


def check(resource: JsonObject) -> JsonObject:
    """Return a resource that was found valid.

    The models are those of R4B, which for the resources used here has the elements of R4, no more and no fewer.

    Raises
    ------
    InvalidResource
        If it is not valid; names its type and the first error.
    """
    from fhir.resources.R4B import get_fhir_model_class
    from pydantic import ValidationError

    try:
        get_fhir_model_class(resource["resourceType"]).model_validate(resource)
    except ValidationError as error:
        first = error.errors()[0]
        raise InvalidResource(f"{resource['resourceType']} {first['loc']}: {first['msg']}") from error
    return resource


def _bundle(entries: list[JsonObject]) -> JsonObject:
    return check({"resourceType": "Bundle", "type": "transaction", "entry": entries})


def _update(resource: JsonObject) -> JsonObject:
    identifier = resource["identifier"]
    named = identifier[0] if isinstance(identifier, list) else identifier
    sent = _with_urns({name: value for name, value in resource.items() if name != "id"})
    url = _conditional(resource["resourceType"], named["system"], named["value"])
    return {"fullUrl": f"urn:uuid:{resource['id']}", "resource": sent, "request": {"method": "PUT", "url": url}}


def _conditional(resource_type: str, system: str, value: str) -> str:
    return f"{resource_type}?identifier={quote(f'{system}|{value}', safe='')}"


def _with_urns(resource: Any) -> Any:
    """Return a resource whose references name entries of its bundle instead of files' ids."""
    if isinstance(resource, dict):
        return {
            name: f"urn:uuid:{value.rpartition('/')[2]}" if name == "reference" else _with_urns(value)
            for name, value in resource.items()
        }
    return [_with_urns(value) for value in resource] if isinstance(resource, list) else resource


def encode(resource: JsonObject) -> bytes:
    """Return a resource as JSON, the same bytes for the same content."""
    return json.dumps(resource, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()
