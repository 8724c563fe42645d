"""Names that others see: our code system, identifiers, and what of theirs is used.

Nobody's web address is borrowed for them. Our names hang under an object identifier made from a random UUID, which
anybody may make without asking and nobody else will ever make (ITU-T X.667, arc 2.25).
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import Any

ROOT = "urn:oid:2.25.110150201494080896068744478464392603099"
CODE_SYSTEM = f"{ROOT}.1"
PATIENT_SYSTEM = f"{ROOT}.2"
"""Pseudonyms of patients: keys under the secret of an installation, never the identifiers of a clinic."""

JOURNAL_SYSTEM = f"{ROOT}.3"
"""SHA-256 of a recording."""

ALERT_SYSTEM = f"{ROOT}.4"
MODEL_SYSTEM = f"{ROOT}.5"
"""SHA-256 of a model's weights and configuration."""

QUESTIONNAIRE_SYSTEM = f"{ROOT}.6"

LOINC = "http://loinc.org"
UCUM = "http://unitsofmeasure.org"
CATEGORY = "http://terminology.hl7.org/CodeSystem/observation-category"
DATA_ABSENT = "http://terminology.hl7.org/CodeSystem/data-absent-reason"
FLAG_CATEGORY = "http://terminology.hl7.org/CodeSystem/flag-category"
MEDIA_TYPE = "http://terminology.hl7.org/CodeSystem/media-type"
SECURITY = "http://terminology.hl7.org/CodeSystem/v3-ObservationValue"

PROXY_NOTE = (
    "The low-mood signal is a proxy: the model that ships was fitted on acted affect. It supports clinicians; it "
    "does not diagnose, and it does not stand for a questionnaire."
)
"""Goes with everything that holds a score."""

JsonObject = dict[str, Any]


@dataclass(frozen=True)
class Code:
    """A concept of our own.

    Parameters
    ----------
    code : str
        Code.
    display : str
        What people read.
    definition : str
        What it means.
    unit : str
        UCUM code of its values; empty if it has none.
    """

    code: str
    display: str
    definition: str
    unit: str = ""


SCORES: tuple[Code, ...] = (
    Code(
        "depression-probability",
        "Low-mood signal",
        "Calibrated probability, 0 to 1, that the voice sounds low in mood. A proxy; the model that ships was "
        "fitted on acted affect.",
        "1",
    ),
    Code("depression-logit", "Low-mood signal, logit", "The same on the logit scale, on which it is averaged.", "1"),
    Code("depression-logit-se", "Low-mood signal, standard error", "Standard error of depression-logit.", "1"),
    Code("valence", "Pleasantness of the voice", "Unpleasant (-1) to pleasant (1).", "1"),
    Code("valence-se", "Pleasantness, standard error", "Standard error of valence.", "1"),
    Code("arousal", "Energy of the voice", "Calm (-1) to excited (1).", "1"),
    Code("arousal-se", "Energy, standard error", "Standard error of arousal.", "1"),
)
"""What a model hears, in the order of the components; each code is a column of ``affect.scores``, with hyphens."""

ALERTS: tuple[Code, ...] = (
    Code("worsening", "Sounds worse than usual", "Lasting departure of the voice from the patient's own baseline."),
    Code("improving", "Sounds better than usual", "Lasting departure in the direction of better mood."),
    Code("adherence_lost", "Records less than usual", "The patient records far less often than before."),
    Code("quality_lost", "Can hardly be heard", "Most of the newest recordings failed their quality checks."),
)
"""Directions of alerts, named as in ``affect.drift_alerts``."""

OTHERS: tuple[Code, ...] = (
    Code("voice-journal-scores", "Voice journal: how it sounds", "Reading of one voice journal by one model version."),
    Code("voice", "Voice", "Category of what was heard in a voice."),
    Code("voice-model", "Voice model", "Type of a device that is a version of a model."),
    Code("voice-monitoring", "Voice monitoring", "Category of flags that come from monitoring voices."),
    Code("review-alert", "Look at an alert", "Somebody is asked to look at what an alert says."),
    Code(
        "personal-baseline",
        "Personal baseline",
        "Band that ordinary days of this patient fall in, as the patient's own baseline expects them.",
    ),
    Code("severity", "Severity of an alert", "low, moderate, high or urgent."),
    Code("onset", "Onset of a change", "First day of the change: best guess, and the days it lies between."),
)

BY_CODE: dict[str, Code] = {code.code: code for code in (*SCORES, *ALERTS, *OTHERS)}


def concept(code: str, text: str | None = None) -> JsonObject:
    """Return one of our codes as a CodeableConcept."""
    known = BY_CODE[code]
    return {
        "coding": [{"system": CODE_SYSTEM, "code": known.code, "display": known.display}],
        "text": text or known.display,
    }


def foreign(system: str, code: str, display: str) -> JsonObject:
    """Return a code of somebody else as a CodeableConcept."""
    return {"coding": [{"system": system, "code": code, "display": display}]}


def identifier(system: str, value: str) -> JsonObject:
    """Return an Identifier."""
    return {"system": system, "value": value}


def resource_id(resource_type: str, system: str, value: str) -> str:
    """Return the id of a resource in files: a UUID that follows from its type and identifier."""
    return str(uuid.uuid5(uuid.NAMESPACE_URL, f"{resource_type}?{system}|{value}"))


def reference(resource_type: str, system: str, value: str) -> JsonObject:
    """Return a reference to the resource with that identifier, as files hold it."""
    return {"reference": f"{resource_type}/{resource_id(resource_type, system, value)}"}


def start(resource_type: str, system: str, value: str) -> JsonObject:
    """Return how every resource of ours begins: type, id, that it is pseudonymised, and its identifier.

    The id serves files; a server that is pushed to gives its own.
    """
    return {
        "resourceType": resource_type,
        "id": resource_id(resource_type, system, value),
        "meta": {"security": [{"system": SECURITY, "code": "PSEUDED", "display": "pseudonymized"}]},
        "identifier": [identifier(system, value)],
    }


def code_system() -> JsonObject:
    """Return our code system as a resource."""
    return {
        "resourceType": "CodeSystem",
        "id": resource_id("CodeSystem", CODE_SYSTEM, ""),
        "url": CODE_SYSTEM,
        "version": "1",
        "name": "AffectPipelineVoice",
        "title": "Voice journals: what was heard in them, and alerts",
        "status": "active",
        "experimental": False,
        "description": f"Codes of affect-pipeline. {PROXY_NOTE}",
        "caseSensitive": True,
        "content": "complete",
        "count": len(BY_CODE),
        "concept": [
            {"code": code.code, "display": code.display, "definition": code.definition} for code in BY_CODE.values()
        ],
    }
