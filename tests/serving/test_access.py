"""Who gets in, and how far."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import pytest

from affect_pipeline.errors import SettingsError
from affect_pipeline.serving.people import Person, add_person, assign_patient, end_access, new_token
from affect_pipeline.serving.sessions import COOKIE, Session, SessionSigner
from tests.serving.conftest import World

PATIENT = "3f2a9c0d4b5e6f708192a3b4c5d6e7f8"
READS = (
    "/patients", f"/patients/{PATIENT}/trend", "/alerts", f"/alerts/{PATIENT}", "/cohort", "/quality", "/runs",
    "/dashboard", "/dashboard/patients", f"/dashboard/patients/{PATIENT}", "/dashboard/cohort", "/dashboard/quality",
    "/dashboard/model", f"/dashboard/patients/{PATIENT}/charts/trend.json", "/dashboard/cohort/charts/weeks.json",
    "/dashboard/quality/charts/nights.json", f"/dashboard/patients/{PATIENT}/charts/trend.png",
    "/dashboard/model/charts/depression/phq.json", "/dashboard/model/charts/depression/phq.png",
    "/dashboard/population/2026-01-05",
)  # fmt: skip
WRITES = (
    "/analyze-vocal-health", "/journals", f"/alerts/{PATIENT}/acknowledge", f"/alerts/{PATIENT}/resolve",
    f"/alerts/{PATIENT}/comment", f"/dashboard/alerts/{PATIENT}", "/logout",
)  # fmt: skip
OPEN = {"/health/live", "/health/ready", "/metrics", "/login", "/", "/assets/vega.js", "/openapi.json", "/static"}


@pytest.mark.parametrize("path", READS)
def test_nobody_reads_without_logging_in(world: World, path: str) -> None:
    answer = world.client().get(path)

    assert answer.status_code == 401
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["www-authenticate"] == "Bearer"


@pytest.mark.parametrize("path", WRITES)
def test_nobody_writes_without_logging_in(world: World, path: str) -> None:
    answer = world.client().post(path, json={"comment": "x"})

    assert answer.status_code == 401


def test_every_route_is_either_open_on_purpose_or_tested_above(world: World) -> None:
    filled = re.compile(rf"{PATIENT}|trend(?=\.)|(?<=charts/)depression|2026-01-05")
    known = {filled.sub("{}", path) for path in READS}
    known |= {path.replace(PATIENT, "{}") for path in WRITES} | OPEN | {"/stream", "/dashboard/cohort/charts/{}.json"}
    found = {_anonymous_path(path) for path in _paths(world)}

    assert len(found) > 25
    assert found - known == set()


@pytest.mark.parametrize("login", ["ana", "uploader"])
def test_only_care_givers_act_on_alerts(world: World, login: str) -> None:
    answer = world.client(login).post(f"/alerts/{PATIENT}/acknowledge", json={})

    assert answer.status_code == 403
    assert answer.json()["type"] == "not-allowed"


def test_an_upload_token_reads_nothing(world: World) -> None:
    assert world.client("uploader").get("/patients").status_code == 403


def test_counselors_deliver_no_journals(world: World) -> None:
    answer = world.client("nora").post("/journals", files={"file": ("a.wav", b"RIFF")})

    assert answer.status_code == 403


def test_counselors_see_the_patients_of_their_clinic_only(world: World) -> None:
    north = world.client("nora").get("/patients?limit=200").json()["patients"]
    south = world.client("sam").get("/patients?limit=200").json()["patients"]
    everybody = world.client("ada").get("/patients?limit=200").json()["patients"]

    assert {patient["clinic"] for patient in north} == {"north"}
    assert {patient["clinic"] for patient in south} == {"south"}
    assert len(everybody) == 24


def test_a_patient_of_another_clinic_does_not_exist(world: World) -> None:
    other = world.client("sam").get("/patients").json()["patients"][0]["patient_key"]

    answer = world.client("nora").get(f"/patients/{other}/trend")

    assert answer.status_code == 404


def test_an_assigned_patient_is_seen_across_clinics(own_world: World) -> None:
    other = own_world.client("sam").get("/patients").json()["patients"][0]["patient_key"]

    assign_patient(own_world.database, "nora", other)

    assert own_world.client("nora").get(f"/patients/{other}/trend").status_code == 200


def test_access_ends_at_once(own_world: World) -> None:
    client = own_world.client("nora")
    assert client.get("/patients").status_code == 200

    end_access(own_world.database, "nora")

    assert client.get("/patients").status_code == 401


def test_a_token_that_ran_out_is_refused(own_world: World) -> None:
    token = new_token(own_world.database, "nora", expires_at=datetime.now(UTC) - timedelta(seconds=1))

    answer = own_world.client().get("/patients", headers={"Authorization": f"Bearer {token}"})

    assert answer.status_code == 401


def test_the_warehouse_keeps_no_token(own_world: World) -> None:
    with own_world.database.as_service() as queries:
        row = queries.row("find_person_by_token", token_digest=own_world.tokens["nora"])

    assert row is None


def test_unknown_roles_people_and_scopes_are_refused(own_world: World) -> None:
    with pytest.raises(SettingsError, match="counselor, analyst, admin"):
        add_person(own_world.database, Person("x", "X", "boss"))
    with pytest.raises(SettingsError, match="affect people add"):
        new_token(own_world.database, "nobody")
    with pytest.raises(SettingsError, match="upload"):
        new_token(own_world.database, "nora", scope="all")


def test_a_session_is_ours_and_runs_out() -> None:
    signer = SessionSigner(b"a secret of sixteen", max_age_s=100)
    cookie = signer.write(Session("nora", "d" * 64, 1_000))

    assert signer.read(cookie, 1_050) == Session("nora", "d" * 64, 1_000)
    assert signer.read(cookie, 1_101) is None
    assert signer.read(cookie, 999) is None
    assert signer.read(cookie[:-1] + ("A" if cookie[-1] != "A" else "B"), 1_050) is None
    assert SessionSigner(b"another secret here", 100).read(cookie, 1_050) is None
    assert signer.read("", 1_050) is None


def test_logging_in_sets_a_cookie_that_scripts_cannot_read(world: World) -> None:
    client = world.client()

    answer = client.post("/login", data={"token": world.tokens["nora"]})

    assert answer.status_code == 303
    cookie = answer.headers["set-cookie"]
    assert cookie.startswith(COOKIE)
    assert "HttpOnly" in cookie
    assert "SameSite=lax" in cookie
    assert world.tokens["nora"] not in cookie
    assert client.get("/dashboard").status_code == 200


def test_a_wrong_token_does_not_log_in(world: World) -> None:
    answer = world.client().post("/login", data={"token": "affect_wrong"})

    assert answer.status_code == 401
    assert "set-cookie" not in answer.headers
    assert "not known" in answer.text


def test_a_form_without_its_token_changes_nothing(own_world: World) -> None:
    client = own_world.client()
    client.post("/login", data={"token": own_world.tokens["nora"]})
    alert = client.get("/alerts").json()["alerts"][0]["alert_id"]

    bare = client.post(f"/dashboard/alerts/{alert}", data={"action": "resolve"})
    json = client.post(f"/alerts/{alert}/resolve", json={})
    foreign = client.post(f"/alerts/{alert}/resolve", json={}, headers={"Sec-Fetch-Site": "cross-site"})

    assert [bare.status_code, json.status_code, foreign.status_code] == [403, 403, 403]
    assert client.get(f"/alerts/{alert}").json()["state"] == "new"


def test_another_site_cannot_log_a_browser_in(world: World) -> None:
    answer = world.client().post(
        "/login", data={"token": world.tokens["nora"]}, headers={"Origin": "https://elsewhere.example"}
    )

    assert answer.status_code == 403


def test_nobody_without_access_learns_whether_a_browser_page_exists(world: World) -> None:
    answer = world.client().get("/dashboard", headers={"Accept": "text/html"})

    assert answer.status_code == 303
    assert answer.headers["location"] == "/login"


def test_pages_forbid_inline_scripts_and_foreign_frames(world: World) -> None:
    answer = world.client("nora").get("/dashboard")

    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "<script>" not in answer.text
    assert " style=" not in answer.text
    assert " onclick" not in answer.text


def _paths(world: World) -> set[str]:
    return {path for path in (getattr(route, "path", "") for route in _flat(world.app.routes)) if path}


def _flat(routes: list[object]) -> list[object]:
    return [inner for route in routes for inner in (_flat(getattr(route, "routes", None) or []) or [route])]


def _anonymous_path(path: str) -> str:
    return re.sub(r"\{[^}]*\}", "{}", path)
