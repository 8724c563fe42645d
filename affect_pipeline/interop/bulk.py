"""Bulk export: one NDJSON file a resource type, as the Bulk Data specification lays them out."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import BinaryIO

import sqlalchemy as sa

from affect_pipeline.files import atomic_path, write_json
from affect_pipeline.interop import units
from affect_pipeline.interop.bundles import check, encode
from affect_pipeline.interop.codes import JsonObject, code_system
from affect_pipeline.interop.push import READERS
from affect_pipeline.interop.scores import patient
from affect_pipeline.nights import Nights
from affect_pipeline.privacy.audit import record
from affect_pipeline.settings import Settings

TYPES = ("CodeSystem", "Device", "Flag", "Media", "Observation", "Patient", "QuestionnaireResponse", "Task")
MANIFEST = "manifest.json"


def export(
    settings: Settings, folder: Path, nights: Nights, patient_key: str | None = None, actor: str | None = None
) -> dict[str, int]:
    """Write what arrived on some nights as FHIR R4, for its owner's eyes only.

    All files are complete before the first takes its place. The same warehouse gives the same bytes.

    Parameters
    ----------
    settings : Settings
        The installation.
    folder : Path
        Where the files go; those of an earlier export are replaced.
    nights : Nights
        Nights of arrival.
    patient_key : str, optional
        Only this patient.
    actor : str, optional
        Who asked for it; by default the system user.

    Returns
    -------
    dict
        Number of resources by type.
    """
    from affect_pipeline.warehouse.engine import connect

    engine = connect(settings)
    counts = dict.fromkeys(TYPES, 0)
    with engine.connect() as connection, ExitStack() as stack:
        files = {name: stack.enter_context(_private(folder / f"{name}.ndjson", stack)) for name in TYPES}
        for resource in _resources(connection, nights, patient_key):
            files[resource["resourceType"]].write(encode(check(resource)) + b"\n")
            counts[resource["resourceType"]] += 1
    output = [{"type": name, "url": f"{name}.ndjson", "count": count} for name, count in counts.items()]
    write_json({"nights": nights.name, "output": output}, folder / MANIFEST)
    with engine.begin() as connection:
        record(connection, "fhir_exported", patient_key, actor, nights=nights.name, resources=counts)
    return counts


def _resources(connection: sa.Connection, nights: Nights, patient_key: str | None) -> Iterator[JsonObject]:
    yield code_system()
    devices, seen, told = units.devices(connection), set[str](), set[str]()
    for read in READERS.values():
        for unit in read(connection, nights, patient_key):
            if unit.patient_key not in seen:
                seen.add(unit.patient_key)
                yield patient(unit.patient_key)
            if unit.model_digest is not None and unit.model_digest not in told:
                told.add(unit.model_digest)
                yield units.device_of(devices, unit.model_digest)
            yield from unit.resources


def _private(path: Path, stack: ExitStack) -> BinaryIO:
    """Open a file that only its owner may read, which takes its place when the stack ends well."""
    temporary = stack.enter_context(atomic_path(path))
    return os.fdopen(os.open(temporary, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600), "wb")
