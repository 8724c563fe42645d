"""Patients, trends, alerts and counts over the API."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from starlette.testclient import TestClient

from tests.serving.conftest import World


@pytest.fixture
def ada(world: World) -> TestClient:
    return world.client("ada")


def pages(client: TestClient, path: str, name: str) -> Iterator[list[dict[str, object]]]:
    cursor = ""
    while True:
        body = client.get(f"{path}{cursor}").json()
        yield body[name]
        if body["next_cursor"] is None:
            return
        cursor = f"&cursor={body['next_cursor']}"


def test_pages_of_patients_hold_everybody_once(ada: TestClient) -> None:
    found = list(pages(ada, "/patients?limit=7", "patients"))

    keys = [patient["patient_key"] for page in found for patient in page]
    assert [len(page) for page in found] == [7, 7, 7, 3]
    assert keys == sorted(set(keys))
    assert len(keys) == 24


@pytest.mark.parametrize("state", ["alert", "stable", "too_little_data"])
def test_patients_are_found_by_state(ada: TestClient, state: str) -> None:
    found = ada.get(f"/patients?state={state}").json()["patients"]

    assert found
    assert {patient["state"] for patient in found} == {state}


def test_patients_are_found_by_clinic_and_by_the_start_of_their_key(ada: TestClient) -> None:
    south = ada.get("/patients?clinic=south").json()["patients"]
    key = south[0]["patient_key"]

    found = ada.get(f"/patients?key_prefix={key[:6]}").json()["patients"]

    assert {patient["clinic"] for patient in south} == {"south"}
    assert [patient["patient_key"] for patient in found] == [key]


def test_too_little_data_says_why_and_until_when(ada: TestClient) -> None:
    [first, *_] = ada.get("/patients?state=too_little_data").json()["patients"]

    assert first["baseline_reason"]
    assert first["baseline_ready_on"] > "2026-03-31"


def test_a_trend_stands_beside_what_was_expected(ada: TestClient) -> None:
    key = ada.get("/patients?state=alert").json()["patients"][0]["patient_key"]

    trend = ada.get(f"/patients/{key}/trend").json()

    channels = {channel["channel"]: channel for channel in trend["channels"]}
    assert list(channels)[:2] == ["combined", "depression"]
    days = channels["depression"]["days"]
    assert [day["local_day"] for day in days] == sorted(day["local_day"] for day in days)
    assert all(day["band_low"] < day["expected"] < day["band_high"] for day in days)
    assert any(day["signal"] for day in days)
    assert channels["depression"]["baseline"]["state"] == "ready"
    assert trend["alerts"][0]["patient_key"] == key


def test_a_trend_covers_the_days_that_were_asked_for(ada: TestClient) -> None:
    key = ada.get("/patients?state=stable").json()["patients"][0]["patient_key"]

    trend = ada.get(f"/patients/{key}/trend?first_day=2026-03-01&last_day=2026-03-10").json()

    days = [day["local_day"] for channel in trend["channels"] for day in channel["days"]]
    assert "2026-03-01" <= min(days) <= max(days) <= "2026-03-10"


@pytest.mark.parametrize("query", ["first_day=2026-03-10&last_day=2026-03-01", "first_day=2010-01-01", "first_day=x"])
def test_an_impossible_range_is_refused(ada: TestClient, query: str) -> None:
    key = ada.get("/patients").json()["patients"][0]["patient_key"]

    assert ada.get(f"/patients/{key}/trend?{query}").status_code == 422


def test_alerts_come_with_the_most_urgent_first_and_each_once(ada: TestClient) -> None:
    found = [alert for page in pages(ada, "/alerts?limit=1", "alerts") for alert in page]

    assert len(found) >= 3
    assert len({alert["alert_id"] for alert in found}) == len(found)
    assert [alert["score"] for alert in found] == sorted((alert["score"] for alert in found), reverse=True)


def test_alerts_are_found_by_clinic_severity_patient_and_night(ada: TestClient) -> None:
    [first, *_] = ada.get("/alerts").json()["alerts"]

    same = ada.get(
        f"/alerts?clinic={first['clinic']}&severity={first['severity']}&patient_key={first['patient_key']}"
        f"&since_night={first['opened_night']}"
    ).json()["alerts"]

    assert [alert["alert_id"] for alert in same] == [first["alert_id"]]
    assert ada.get("/alerts?severity=none").json()["alerts"] == []
    assert ada.get("/alerts?since_night=2027-01-01").json()["alerts"] == []
    assert ada.get("/alerts?state=resolved").json()["alerts"] == []


def test_an_alert_has_its_history(ada: TestClient) -> None:
    [first, *_] = ada.get("/alerts").json()["alerts"]

    detail = ada.get(f"/alerts/{first['alert_id']}").json()

    assert [event["kind"] for event in detail["events"]] == ["opened", "updated"]
    assert detail["onset_low"] <= detail["onset_day"] <= detail["onset_high"]


def test_an_unchanged_answer_is_not_sent_twice(ada: TestClient) -> None:
    first = ada.get("/patients")

    again = ada.get("/patients", headers={"If-None-Match": first.headers["etag"]})
    other = ada.get("/patients?limit=1", headers={"If-None-Match": first.headers["etag"]})

    assert again.status_code == 304
    assert again.content == b""
    assert again.headers["etag"] == first.headers["etag"]
    assert other.status_code == 200


@pytest.mark.parametrize("cursor", ["x", "WyJhIl0", "!!", "bnVsbA", "W1tb" * 1000])
def test_a_cursor_of_nobodys_making_is_refused(ada: TestClient, cursor: str) -> None:
    answer = ada.get(f"/alerts?cursor={cursor}")

    assert answer.status_code == 422
    assert answer.json()["type"] == "invalid-request"


def test_the_cohort_is_counted_by_clinic_and_week(ada: TestClient) -> None:
    cohort = ada.get("/cohort").json()

    assert sum(clinic["n_patients"] for clinic in cohort["clinics"]) == 24
    for clinic in cohort["clinics"]:
        assert clinic["n_alert"] + clinic["n_stable"] + clinic["n_too_little_data"] == clinic["n_patients"]
    assert cohort["as_of_night"] == "2026-04-01"
    assert len(cohort["weeks"]) == 11


def test_the_counts_of_a_counselor_cover_the_counselors_patients(world: World) -> None:
    cohort = world.client("nora").get("/cohort").json()

    assert [clinic["clinic"] for clinic in cohort["clinics"]] == ["north"]


def test_quality_is_counted_by_night_reason_and_device(ada: TestClient) -> None:
    quality = ada.get("/quality?nights=10").json()

    assert len(quality["nights"]) == 10
    assert {reason["reason"] for reason in quality["reasons"]} <= {"snr_at_least_12_db", "snr_at_least_18_db"}
    assert {device["device"] for device in quality["devices"]} == {"phone-a", "phone-b"}


def test_runs_come_newest_first_and_each_once(ada: TestClient) -> None:
    found = [run for page in pages(ada, "/runs?limit=5", "runs") for run in page]

    nights = [run["first_night"] for run in found]
    assert nights == sorted(set(nights), reverse=True)
    assert len(nights) == 14


def test_a_zero_byte_is_refused_and_not_an_error_of_ours(ada: TestClient) -> None:
    assert ada.get("/patients?clinic=%00").status_code == 422


def test_an_unknown_route_answers_with_a_problem(ada: TestClient) -> None:
    answer = ada.get("/nowhere")

    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["type"] == "not-found"


def test_metrics_count_requests_by_route_and_name_nobody(ada: TestClient) -> None:
    key = ada.get("/patients").json()["patients"][0]["patient_key"]
    ada.get(f"/patients/{key}/trend")

    text = ada.get("/metrics").text

    assert 'affect_requests_total{method="GET",route="/patients/{patient_key}/trend",status="200"}' in text
    assert key not in text


def test_health_names_what_is_away(world: World) -> None:
    client = world.client()

    assert client.get("/health/live").json()["status"] == "ok"
    assert client.get("/health/ready").json()["checks"] == {"warehouse": "ok", "model": "ok"}
