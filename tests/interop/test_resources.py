"""Resources are valid R4, say what was heard and what was not, and never look like a questionnaire."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from affect_pipeline.interop.alerts import alert_in_error, flag, task
from affect_pipeline.interop.bundles import InvalidResource, check, transaction
from affect_pipeline.interop.codes import BY_CODE, CODE_SYSTEM, LOINC, PROXY_NOTE, code_system
from affect_pipeline.interop.examples import EXAMPLES, MODEL, PATIENT, alert, answers, model, quarantined, reading
from affect_pipeline.interop.questionnaires import response_in_error, response_resource
from affect_pipeline.interop.scores import device, media, observation, observation_in_error
from affect_pipeline.interop.units import Unit

# Elements of R4 (4.0.1) by type: type of each, [] where it repeats, ! where it is required. Taken from the models that
# SMART Health IT generates from the definitions of R4 itself (fhirclient 4.4.0).
R4: dict[str, dict[str, str]] = json.loads((Path(__file__).parent / "r4_elements.json").read_text())
PLAIN = {"string", "boolean", "integer", "decimal", "FHIRDate", "FHIRDateTime", "FHIRInstant", "FHIRTime"}

RESOURCES = [
    *(resource for make in EXAMPLES.values() for resource in make()),
    observation(reading(recorded_at=None, depression_expected=None)),
    observation(quarantined(problem="not_audio", n_bytes=None, failed=[])),
    observation_in_error(reading()["journal_id"], PATIENT),
    *alert_in_error(alert()["alert_id"], PATIENT),
    response_in_error("name", PATIENT),
    response_resource(answers(items=[0] * 8, total=0)),
    task(alert(state="resolved", last_action=None, onset_day=None, onset_low=None)),
]


def assert_r4(value: dict[str, Any], type_name: str) -> None:
    elements = R4[type_name]
    for name, found in value.items():
        if name == "resourceType":
            assert found == type_name
            continue
        assert name in elements, f"R4 has no {type_name}.{name}"
        element = elements[name].rstrip("!")
        assert isinstance(found, list) == element.endswith("[]"), f"{type_name}.{name}"
        for one in found if isinstance(found, list) else [found]:
            inner = one["resourceType"] if element == "Resource" else element.removesuffix("[]")
            assert one not in ("", {}, []), f"{type_name}.{name} is empty"
            if inner in PLAIN:
                assert not isinstance(one, dict | list), f"{type_name}.{name}"
            else:
                assert_r4(one, inner)
    for name, element in elements.items():
        assert not element.endswith("!") or name in value, f"R4 requires {type_name}.{name}"


@pytest.mark.parametrize("resource", RESOURCES, ids=lambda resource: resource["resourceType"])
def test_resources_have_the_elements_of_r4_and_no_others(resource: dict[str, Any]) -> None:
    assert_r4(resource, resource["resourceType"])
    check(resource)


def test_bundles_are_valid_r4() -> None:
    recording = media(reading())
    assert recording is not None
    unit = Unit("journal", "name", PATIENT, reading()["night"], (recording, observation(reading())), MODEL)
    bundle = transaction(PATIENT, [unit], {MODEL: device(model())})

    assert_r4(bundle, "Bundle")
    types = [entry["resource"]["resourceType"] for entry in bundle["entry"]]
    assert types == ["Patient", "Device", "Media", "Observation"]
    places = {entry["fullUrl"] for entry in bundle["entry"]}
    assert {entry["resource"]["subject"]["reference"] for entry in bundle["entry"][2:]} <= places


def test_a_mistake_of_ours_is_found_before_anybody_else_sees_it() -> None:
    with pytest.raises(InvalidResource, match=r"Observation.*status"):
        check({name: value for name, value in observation(reading()).items() if name != "status"})
    with pytest.raises(AssertionError, match=r"R4 has no Observation\.bodyStructure"):
        assert_r4(observation(reading()) | {"bodyStructure": {"reference": "x"}}, "Observation")


def test_a_score_is_no_answer_to_a_questionnaire() -> None:
    text = json.dumps([observation(reading()), flag(alert()), task(alert())])

    assert LOINC not in text
    assert "survey" not in text
    assert PROXY_NOTE in observation(reading())["note"][0]["text"]
    assert PROXY_NOTE in task(alert())["description"]


def test_scores_carry_their_errors_and_the_personal_baseline() -> None:
    parts = {part["code"]["coding"][0]["code"]: part for part in observation(reading())["component"]}

    assert parts["depression-logit-se"]["valueQuantity"]["value"] == 0.31
    assert parts["valence"]["referenceRange"][0]["low"]["value"] == pytest.approx(-0.16)
    (band,) = parts["depression-probability"]["referenceRange"]
    assert (band["low"]["value"], band["high"]["value"]) == pytest.approx((0.214165, 0.622459))
    assert "referenceRange" not in parts["valence-se"]
    unready = observation(reading(depression_expected=None, depression_half_band=None))
    assert "referenceRange" not in unready["component"][0]


def test_what_was_not_scored_says_why_and_has_no_values() -> None:
    failed = observation(quarantined())
    broken = observation(quarantined(problem="not_audio", n_bytes=None, failed=[]))

    assert failed["status"] == broken["status"] == "cancelled"
    assert failed["dataAbsentReason"]["coding"][0]["code"] == "not-performed"
    assert "snr_at_least" in failed["dataAbsentReason"]["text"]
    assert broken["dataAbsentReason"]["coding"][0]["code"] == "error"
    assert "component" not in failed
    assert "derivedFrom" in failed
    assert "derivedFrom" not in broken
    assert media(quarantined(n_bytes=None)) is None


def test_a_recording_is_named_by_its_hash_and_not_embedded() -> None:
    recording = media(reading())

    assert recording is not None
    assert recording["identifier"][0]["value"] == reading()["journal_id"]
    assert {"data", "url"}.isdisjoint(recording["content"])


@pytest.mark.parametrize(
    ("state", "last_action", "flagged", "status"),
    [
        ("new", None, "active", "requested"),
        ("acknowledged", "assigned", "active", "accepted"),
        ("resolved", "resolved", "inactive", "completed"),
        ("resolved", None, "inactive", "cancelled"),
    ],
)
def test_states_of_alerts_become_statuses(state: str, last_action: str | None, flagged: str, status: str) -> None:
    row = alert(state=state, last_action=last_action)

    assert (flag(row)["status"], task(row)["status"]) == (flagged, status)
    assert flag(row)["code"]["text"] == row["explanation"]


def test_every_code_that_is_used_is_in_the_code_system() -> None:
    used = set(_codes(RESOURCES))

    assert used <= set(BY_CODE)
    assert {concept["code"] for concept in code_system()["concept"]} == set(BY_CODE)


def _codes(value: Any) -> list[str]:
    if isinstance(value, dict):
        own = [value["code"]] if value.get("system") == CODE_SYSTEM else []
        return own + [code for inner in value.values() for code in _codes(inner)]
    return [code for inner in value for code in _codes(inner)] if isinstance(value, list) else []
