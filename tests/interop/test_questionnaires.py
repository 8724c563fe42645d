"""PHQ-9 answers come in as FHIR from senders who differ, and nothing is taken that is not understood."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import given, settings
from hypothesis import strategies as st

from affect_pipeline.interop.bundles import transaction
from affect_pipeline.interop.codes import LOINC, PATIENT_SYSTEM
from affect_pipeline.interop.examples import PATIENT, answers
from affect_pipeline.interop.questionnaires import (
    ANSWERS,
    ITEMS,
    TOTAL,
    Response,
    ResponseRefused,
    Unusable,
    read_response,
    read_responses,
    response_resource,
)
from affect_pipeline.interop.receive import UnreadableFile, receive
from affect_pipeline.interop.units import Unit
from affect_pipeline.journals.identity import Pseudonyms
from affect_pipeline.privacy.audit import list_events
from affect_pipeline.settings import Settings
from affect_pipeline.warehouse.load import upsert
from tests.warehouse.rows import DAY, frame, patient

GIVEN = (1, 2, 1, 2, 0, 1, 1, 0, 0)
SOURCE = "Müller-1970"
SYSTEM = "https://hospital.example/patients"


def response(**changes: Any) -> dict[str, Any]:
    items = [
        {"linkId": f"/{code}", "answer": [{"valueCoding": {"system": LOINC, "code": ANSWERS[value][0]}}]}
        for (code, _), value in zip(ITEMS, GIVEN, strict=True)
    ]
    return {
        "resourceType": "QuestionnaireResponse",
        "id": "one",
        "status": "completed",
        "subject": {"identifier": {"system": SYSTEM, "value": SOURCE}},
        "authored": "2026-01-05T23:30:00-05:00",
        "item": [*items, {"linkId": f"/{TOTAL}", "answer": [{"valueDecimal": 8}]}],
    } | changes


def answered(answer: dict[str, Any], position: int = 0) -> dict[str, Any]:
    changed = copy.deepcopy(response())
    changed["item"][position]["answer"] = [answer]
    return changed


def test_what_goes_out_comes_in_again() -> None:
    sent = Unit("questionnaire", "name", PATIENT, DAY, (response_resource(answers()),))
    (found,) = read_responses(transaction(PATIENT, [sent], {}))

    assert isinstance(found, Response)
    assert found.items == tuple(answers()["items"])
    assert found.total == answers()["total"]
    assert found.patient.is_pseudonym
    assert found.patient.value == answers()["patient_key"]
    assert found.authored == answers()["answered_at"]


@pytest.mark.parametrize(
    "answer",
    [
        {"valueInteger": 1},
        {"valueDecimal": 1.0},
        {"valueQuantity": {"value": 1}},
        {"valueCoding": {"display": "Several days"}},
        {"valueCoding": {"code": "1", "system": "https://forms.example"}},
        {
            "valueCoding": {
                "code": "b",
                "extension": [{"url": "http://hl7.org/fhir/StructureDefinition/ordinalValue", "valueDecimal": 1}],
            }
        },
    ],
)
def test_senders_say_several_days_in_several_ways(answer: dict[str, Any]) -> None:
    assert read_response(answered(answer)).items == GIVEN


def test_items_may_stand_in_groups() -> None:
    grouped = response(item=[{"linkId": "/44249-1", "item": response()["item"]}])

    assert read_response(grouped).items == GIVEN


@pytest.mark.parametrize(
    ("resource", "reason"),
    [
        ({"resourceType": "Observation"}, "not_fhir"),
        ([], "not_fhir"),
        (response(surprise=1), "not_fhir"),
        (response(status="in-progress"), "not_done"),
        (response(status="entered-in-error"), "not_done"),
        (response(item=[{"linkId": "1", "answer": [{"valueInteger": 1}]}]), "not_phq9"),
        (response(item=response()["item"][1:]), "items_malformed"),
        (response(item=[*response()["item"], response()["item"][0]]), "items_malformed"),
        (answered({"valueInteger": 4}), "items_malformed"),
        (answered({"valueDecimal": 0.5}), "items_malformed"),
        (answered({"valueBoolean": True}), "items_malformed"),
        (answered({"valueCoding": {"system": LOINC, "code": "LA9-3"}}), "items_malformed"),
        (answered({"valueDecimal": 9}, position=9), "total_mismatch"),
        (response(authored="2026-01-05"), "authored_missing"),
        (response(subject={"reference": "Patient/1"}), "patient_unclear"),
        (response(subject=None), "patient_unclear"),
    ],
)
def test_what_is_not_understood_is_refused_and_never_quoted(resource: Any, reason: str) -> None:
    if isinstance(resource, dict):
        resource = {name: value for name, value in resource.items() if value is not None}
    with pytest.raises(ResponseRefused) as caught:
        read_response(resource)

    assert caught.value.reason == reason
    assert SOURCE not in str(caught.value)


def test_of_several_identifiers_the_one_of_the_settings_counts() -> None:
    along = {
        "resourceType": "Patient",
        "id": "p",
        "identifier": [{"system": "https://insurer.example", "value": "7"}, {"system": SYSTEM, "value": SOURCE}],
    }
    bundle = {
        "resourceType": "Bundle",
        "type": "collection",
        "entry": [{"resource": along}, {"resource": response(subject={"reference": "Patient/p"})}],
    }

    (unclear,) = read_responses(bundle)
    assert isinstance(unclear, Unusable)
    assert unclear.refusal.reason == "patient_unclear"
    (found,) = read_responses(bundle, SYSTEM)
    assert isinstance(found, Response)
    assert found.patient.value == SOURCE
    assert SOURCE not in repr(found)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=5,
)


def paths(value: Any, at: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [at, *(path for name, one in inner for path in paths(one, (*at, name)))]


BUNDLE = {
    "resourceType": "Bundle",
    "entry": [
        {"resource": {"resourceType": "Patient", "id": "p", "identifier": [{"system": SYSTEM, "value": SOURCE}]}},
        {"resource": response(subject={"reference": "Patient/p"}, item=response()["item"][7:])},
        {"resource": response()},
    ],
}


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(paths(BUNDLE)[1:]), JSON)
def test_whatever_stands_in_place_of_a_part_is_read_or_refused(path: tuple[Any, ...], value: Any) -> None:
    changed = copy.deepcopy(BUNDLE)
    holder: Any = changed
    for name in path[:-1]:
        holder = holder[name]
    holder[path[-1]] = value

    for found in read_responses(changed):
        assert isinstance(found, Response | Unusable)
        assert SOURCE not in repr(found)


@pytest.fixture
def known(warehouse: sa.Engine, made: Settings) -> str:
    """The pseudonym of a patient whom the warehouse knows."""
    key = Pseudonyms(made.pseudonym_key()).patient_key(SOURCE)
    with warehouse.begin() as connection:
        upsert(connection, "patients", frame(patient() | {"patient_key": key}))
    return key


def stored(engine: sa.Engine) -> list[dict[str, Any]]:
    with engine.connect() as connection:
        query = "SELECT * FROM affect.questionnaires ORDER BY answered_at, problem"
        return [dict(row) for row in connection.exec_driver_sql(query).mappings()]


def write(folder: Path, *resources: dict[str, Any]) -> Path:
    file = folder / "sent.ndjson"
    file.write_text("".join(json.dumps(resource) + "\n" for resource in resources))
    return file


def test_answers_are_stored_under_the_pseudonym_once(
    known: str, made: Settings, warehouse: sa.Engine, tmp_path: Path
) -> None:
    file = write(tmp_path, response(), response(id="two", subject={"identifier": {"system": SYSTEM, "value": "x"}}))

    for _ in range(2):
        done = receive(made, [file], DAY)
        assert (done.n_taken, done.n_self_harm, done.refused) == (1, 0, {"patient_unknown": 1})
    (row,) = stored(warehouse)
    assert (row["patient_key"], row["source"], row["total"], row["items"]) == (known, "fhir", 8, list(GIVEN))
    assert row["local_day"].isoformat() == "2026-01-06"  # in Berlin, where the patient is
    assert SOURCE not in str(row)
    event = list_events(warehouse, action="questionnaires_received", limit=1)[0]
    assert (event["detail"]["n_taken"], event["detail"]["refused"]) == (1, {"patient_unknown": 1})


def test_a_pseudonym_of_ours_names_the_patient_too(
    known: str, made: Settings, warehouse: sa.Engine, tmp_path: Path
) -> None:
    ours = response(subject={"identifier": {"system": PATIENT_SYSTEM, "value": known}})

    assert receive(made, [write(tmp_path, ours)], DAY).n_taken == 1
    assert stored(warehouse)[0]["patient_key"] == known


def test_thoughts_of_self_harm_are_not_missed_because_a_total_was_wrong(
    known: str, made: Settings, warehouse: sa.Engine, tmp_path: Path
) -> None:
    wrong = answered({"valueInteger": 2}, position=8)

    done = receive(made, [write(tmp_path, wrong)], DAY)
    assert (done.n_taken, done.n_self_harm, done.refused) == (0, 1, {"total_mismatch": 1})
    (row,) = stored(warehouse)
    assert (row["item_9"], row["problem"], row["items"]) == (2, "total_mismatch", None)


def test_answers_from_the_future_are_refused(known: str, made: Settings, warehouse: sa.Engine, tmp_path: Path) -> None:
    late = write(tmp_path, response(authored="2026-02-05T10:00:00Z"))

    assert receive(made, [late], DAY).refused == {"answered_in_future": 1}


def test_nothing_is_taken_in_after_consent_was_withdrawn(
    known: str, made: Settings, warehouse: sa.Engine, tmp_path: Path
) -> None:
    with warehouse.begin() as connection:
        connection.exec_driver_sql("UPDATE affect.patients SET consent_withdrawn_night = '2026-01-05'")

    assert receive(made, [write(tmp_path, response())], DAY).refused == {"patient_unknown": 1}
    assert stored(warehouse) == []


@pytest.mark.parametrize("content", [b"{", b"\xff\xfe", b"[" * 100_000])
def test_a_file_without_json_is_named(known: str, made: Settings, tmp_path: Path, content: bytes) -> None:
    (tmp_path / "sent.json").write_bytes(content)
    with pytest.raises(UnreadableFile, match=r"sent\.json"):
        receive(made, [tmp_path / "sent.json"], DAY)
