"""The PHQ-9 as a QuestionnaireResponse, in and out.

The nine items and the total are known by their LOINC codes, answers by theirs. Items may be named by ``linkId`` (as
LOINC's own forms do), and answers given as a coding, an ordinal value or a number: senders differ.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from affect_pipeline.errors import AffectError
from affect_pipeline.interop.codes import LOINC, PATIENT_SYSTEM, QUESTIONNAIRE_SYSTEM, JsonObject, start
from affect_pipeline.interop.scores import moment, patient_reference

PANEL = "44249-1"
TOTAL = "44261-6"
QUESTIONNAIRE = f"{LOINC}/q/{PANEL}"
"""Canonical URL of LOINC's own form of the PHQ-9."""

ITEMS: tuple[tuple[str, str], ...] = (
    ("44250-9", "Little interest or pleasure in doing things"),
    ("44255-8", "Feeling down, depressed, or hopeless"),
    ("44259-0", "Trouble falling or staying asleep, or sleeping too much"),
    ("44254-1", "Feeling tired or having little energy"),
    ("44251-7", "Poor appetite or overeating"),
    ("44258-2", "Feeling bad about yourself"),
    ("44252-5", "Trouble concentrating on things"),
    ("44253-3", "Moving or speaking slowly, or being restless"),
    ("44260-8", "Thoughts of being better off dead or of self-harm"),
)
"""LOINC codes of the nine items, in the order of the questionnaire."""

ANSWERS: tuple[tuple[str, str], ...] = (
    ("LA6568-5", "Not at all"),
    ("LA6569-3", "Several days"),
    ("LA6570-1", "More than half the days"),
    ("LA6571-9", "Nearly every day"),
)
"""LOINC codes of the answers, worth 0 to 3."""

ORDINAL_URLS = ("http://hl7.org/fhir/StructureDefinition/ordinalValue",)
DONE = frozenset({"completed", "amended"})
MAX_DEPTH = 8
_CODE = re.compile(r"\d{5}-\d|LA\d{4,5}-\d")
_ORDER = {code: position for position, (code, _) in enumerate(ITEMS)}
_VALUES = {code: value for value, (code, _) in enumerate(ANSWERS)}
_WORTH = {display.casefold(): value for value, (_, display) in enumerate(ANSWERS)}


class ResponseRefused(AffectError):
    """A QuestionnaireResponse is not a PHQ-9 that can be used.

    Parameters
    ----------
    reason : str
        A short machine-readable reason in snake case.
    detail : str
        The same for people; never quotes what was sent.
    """

    def __init__(self, reason: str, detail: str) -> None:
        self.reason, self.detail = reason, detail
        super().__init__(f"{reason}: {detail}")


@dataclass(frozen=True)
class Response:
    """A PHQ-9 that was answered.

    Parameters
    ----------
    patient : PatientName
        Whose it is.
    authored : datetime
        When it was answered, with its offset.
    items : tuple of int
        The nine answers in order, 0 to 3.
    name : str
        What the sender calls it: its identifier, or its id; the same name again replaces it.
    """

    patient: PatientName
    authored: datetime
    items: tuple[int, ...]
    name: str

    @property
    def total(self) -> int:
        """Sum of the answers."""
        return sum(self.items)


@dataclass(frozen=True)
class Unusable:
    """A response that was refused, and what could be read of it all the same.

    Parameters
    ----------
    refusal : ResponseRefused
        Why.
    patient : PatientName or None
        Whose it is, if it says so.
    name : str
        What the sender calls it.
    item_9 : int or None
        The answer about self-harm: nobody should miss it because a total was wrong.
    """

    refusal: ResponseRefused
    patient: PatientName | None = None
    name: str = ""
    item_9: int | None = None


@dataclass(frozen=True)
class PatientName:
    """How a sender names a patient; a source identifier goes no further than the pseudonyms.

    Parameters
    ----------
    value : str
        The identifier.
    is_pseudonym : bool
        Whether it is one of ours already.
    """

    value: str
    is_pseudonym: bool

    def __repr__(self) -> str:
        return "PatientName(…)"


def read_response(resource: object, patients: Mapping[str, JsonObject] | None = None, system: str = "") -> Response:
    """Read a QuestionnaireResponse that anybody may have sent.

    Parameters
    ----------
    resource : object
        The resource as parsed JSON.
    patients : Mapping, optional
        Patients that came along in its bundle, by the references that name them.
    system : str
        System of the identifier that names patients as the landing zone does; empty takes the only one there is.

    Raises
    ------
    ResponseRefused
        With reason ``not_fhir``, ``not_done``, ``not_phq9``, ``items_malformed``, ``total_mismatch``,
        ``authored_missing`` or ``patient_unclear``.
    """
    checked = _validated(resource)
    if checked.get("status") not in DONE:
        raise ResponseRefused("not_done", "its status has to be completed or amended")
    answers, total = _answers(checked)
    items = _complete(answers)
    if total is not None and total != sum(items):
        raise ResponseRefused("total_mismatch", "the total is not the sum of the items")
    return Response(_patient(checked, patients or {}, system), _authored(checked), items, _name(checked))


def read_responses(content: object, system: str = "") -> Iterator[Response | Unusable]:
    """Read every QuestionnaireResponse in a resource or a bundle.

    Parameters
    ----------
    content : object
        Parsed JSON.
    system : str
        As in `read_response`.

    Yields
    ------
    Response or Unusable
    """
    found = list(_resources(content))
    patients = {
        name: _patient_along(resource)
        for names, resource in found
        if resource.get("resourceType") == "Patient"
        for name in names
    }
    for _, resource in found:
        if resource.get("resourceType") == "QuestionnaireResponse":
            try:
                yield read_response(resource, patients, system)
            except ResponseRefused as refusal:
                yield _unusable(resource, patients, system, refusal)


def response_resource(row: Mapping[str, Any]) -> JsonObject:
    """Return stored answers as a QuestionnaireResponse.

    Parameters
    ----------
    row : Mapping
        With ``questionnaire_id``, ``patient_key``, ``answered_at``, ``local_day``, ``items``, ``total``.
    """
    items: list[JsonObject] = [
        {
            "linkId": f"/{code}",
            "text": text,
            "answer": [{"valueCoding": {"system": LOINC, "code": ANSWERS[value][0], "display": ANSWERS[value][1]}}],
        }
        for (code, text), value in zip(ITEMS, row["items"], strict=False)  # the PHQ-8 leaves out the ninth
    ]
    found = start("QuestionnaireResponse", QUESTIONNAIRE_SYSTEM, response_name(row)) | {
        "status": "completed",
        "subject": patient_reference(row["patient_key"]),
        "authored": moment(row["answered_at"], row["local_day"]),
        "source": patient_reference(row["patient_key"]),
        "item": items,
    }
    if len(items) == len(ITEMS):
        found["questionnaire"] = QUESTIONNAIRE
        items.append({"linkId": f"/{TOTAL}", "text": "Total score", "answer": [{"valueDecimal": int(row["total"])}]})
    found["identifier"] = found["identifier"][0]  # the only resource of ours that has one and not several
    return found


def response_in_error(name: str, patient_key: str) -> JsonObject:
    """Return what a server is told of answers that are not there any more."""
    found = start("QuestionnaireResponse", QUESTIONNAIRE_SYSTEM, name) | {
        "status": "entered-in-error",
        "subject": patient_reference(patient_key),
    }
    found["identifier"] = found["identifier"][0]
    return found


def response_name(row: Mapping[str, Any]) -> str:
    """Return the identifier of stored answers: patients may answer alike at the same moment."""
    return f"{row['patient_key']}.{row['questionnaire_id']}"


def _validated(resource: object, resource_type: str = "QuestionnaireResponse") -> JsonObject:
    """Return a resource as its model reads it: with the elements of FHIR and nothing empty in their place."""
    from fhir.resources.R4B import get_fhir_model_class
    from pydantic import ValidationError

    if not isinstance(resource, dict) or resource.get("resourceType") != resource_type:
        raise ResponseRefused("not_fhir", f"it is not a {resource_type}")
    try:
        found: JsonObject = json.loads(get_fhir_model_class(resource_type).model_validate(resource).model_dump_json())
    except (ValueError, TypeError, ArithmeticError, AttributeError, RecursionError) as error:
        n = error.error_count() if isinstance(error, ValidationError) else 1
        raise ResponseRefused("not_fhir", f"it is not a valid {resource_type} of FHIR R4 ({n} errors)") from None
    return found


def _patient_along(resource: JsonObject) -> JsonObject:
    try:
        return _validated(resource, "Patient")
    except ResponseRefused:
        return {}


def _unusable(
    resource: JsonObject, patients: Mapping[str, JsonObject], system: str, refusal: ResponseRefused
) -> Unusable:
    if refusal.reason in ("not_fhir", "not_done", "not_phq9"):
        return Unusable(refusal)
    try:
        resource = _validated(resource)
        patient = _patient(resource, patients, system)
        (ninth,) = _answers(resource)[0].get(ITEMS[-1][0], [{}])
        worth = _worth(ninth)
        name = _name(resource)
    except (ResponseRefused, ValueError):
        return Unusable(refusal)
    return Unusable(refusal, patient, name, worth if worth in _VALUES.values() else None)


def _resources(content: object) -> Iterator[tuple[list[str], JsonObject]]:
    """Yield resources with the references that name them."""
    if not isinstance(content, dict):
        return
    if content.get("resourceType") != "Bundle":
        yield [], content
        return
    entries = content.get("entry")
    for entry in entries if isinstance(entries, list) else []:
        resource = entry.get("resource") if isinstance(entry, dict) else None
        if isinstance(resource, dict):
            names = [entry.get("fullUrl"), f"{resource.get('resourceType')}/{resource.get('id')}"]
            yield [name for name in names if isinstance(name, str)], resource


def _answers(resource: JsonObject) -> tuple[dict[str, list[JsonObject]], int | None]:
    """Return the answers by LOINC code of their item, and the total if it was sent."""
    found: dict[str, list[JsonObject]] = {}
    for item in _items(resource.get("item", []), 0):
        match = _CODE.search(str(item.get("linkId", "")))
        if match and item.get("answer"):
            found.setdefault(match[0], []).extend(item["answer"])
    total = found.pop(TOTAL, None)
    if not any(code in _ORDER for code in found):
        raise ResponseRefused("not_phq9", "none of its items has the LOINC code of an item of the PHQ-9 in its linkId")
    return found, None if total is None else _whole(total[0])


def _items(items: Sequence[JsonObject], depth: int) -> Iterator[JsonObject]:
    if depth > MAX_DEPTH:
        raise ResponseRefused("items_malformed", "its items are nested too deeply")
    for item in items:
        yield item
        yield from _items(item.get("item", []), depth + 1)


def _complete(answers: Mapping[str, list[JsonObject]]) -> tuple[int, ...]:
    values = []
    for code, _ in ITEMS:
        given = answers.get(code, [])
        if len(given) != 1:
            raise ResponseRefused("items_malformed", f"item {code} has {len(given)} answers; each item has to have one")
        value = _worth(given[0])
        if value is None or not 0 <= value <= max(_VALUES.values()):
            raise ResponseRefused("items_malformed", f"the answer to item {code} is none of the four of the PHQ-9")
        values.append(value)
    return tuple(values)


def _worth(answer: JsonObject) -> int | None:
    coding = answer.get("valueCoding")
    if not isinstance(coding, dict):
        return _whole(answer)
    if coding.get("system") == LOINC:
        return _VALUES.get(str(coding.get("code")))
    for extension in coding.get("extension", []):
        if extension.get("url") in ORDINAL_URLS:
            return _whole(extension)
    code = str(coding.get("code", ""))
    return int(code) if code.isdecimal() else _WORTH.get(str(coding.get("display", "")).casefold())


def _whole(answer: JsonObject) -> int | None:
    """Return a number that has no fraction; None if it is not one."""
    quantity = answer.get("valueQuantity")
    value = quantity.get("value") if isinstance(quantity, dict) else None
    for name in ("valueInteger", "valueDecimal"):
        value = answer.get(name, value)
    if isinstance(value, bool) or not isinstance(value, int | float) or value != int(value):
        return None
    return int(value)


def _authored(resource: JsonObject) -> datetime:
    try:
        authored = datetime.fromisoformat(str(resource["authored"]))
    except (KeyError, ValueError):
        authored = None
    if authored is None or authored.tzinfo is None:
        raise ResponseRefused("authored_missing", "authored has to be a moment with its offset from UTC")
    return authored


def _patient(resource: JsonObject, patients: Mapping[str, JsonObject], system: str) -> PatientName:
    subject = resource.get("subject") or {}
    along = patients.get(str(subject.get("reference", "")), {})
    given = [subject["identifier"]] if "identifier" in subject else along.get("identifier", [])
    for found in _named(given, PATIENT_SYSTEM):
        return PatientName(found, True)
    fitting = list(_named(given, system)) if system else [str(one["value"]) for one in given if one.get("value")]
    if len(fitting) != 1:
        raise ResponseRefused(
            "patient_unclear",
            f"its subject has {len(fitting)} identifiers that could be meant; name their system by "
            "AFFECT_FHIR_PATIENT_SYSTEM",
        )
    return PatientName(fitting[0], False)


def _named(identifiers: Iterable[JsonObject], system: str) -> Iterator[str]:
    return (str(one["value"]) for one in identifiers if one.get("system") == system and one.get("value"))


def _name(resource: JsonObject) -> str:
    """Return what tells this response from others of the sender."""
    given = resource.get("identifier") or {}
    if given.get("value"):
        return f"{given.get('system', '')}|{given['value']}"
    if resource.get("id"):
        return f"id|{resource['id']}"
    return f"authored|{_authored(resource).astimezone(UTC).isoformat()}"
