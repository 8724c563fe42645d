"""A FHIR server is brought up to date over HTTP: once, again, after failures, and when something is taken back."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import sqlalchemy as sa

from affect_pipeline.errors import SettingsError
from affect_pipeline.interop.client import FhirClient, FhirRefused, FhirServerUnavailable, client_of, server_address
from affect_pipeline.interop.codes import PATIENT_SYSTEM
from affect_pipeline.interop.push import FhirBusy, Pushed, push, push_nightly, sent_of, withdraw
from affect_pipeline.nights import Nights
from affect_pipeline.privacy.audit import list_events
from affect_pipeline.privacy.erasure import erase, finish_interrupted
from affect_pipeline.settings import Settings
from affect_pipeline.warehouse.load import upsert
from tests.interop.conftest import NEXT, TOKEN, Connected
from tests.interop.fhir_server import Fault, FhirServer
from tests.warehouse.rows import DAY, alert, digest, frame, key, score

BOTH = Nights(DAY, NEXT)
ALL = {"Patient": 2, "Device": 1, "Media": 4, "Observation": 4, "Flag": 1, "Task": 1, "QuestionnaireResponse": 1}


def pushed(settings: Settings, connected: Connected, nights: Nights = BOTH) -> Pushed:
    with connected() as client:
        return push(settings, client, nights)


def execute(engine: sa.Engine, statement: str) -> None:
    with engine.begin() as connection:
        connection.exec_driver_sql(statement)


def test_everything_arrives_and_refers_to_what_is_there(
    clinic: Settings, server: FhirServer, connected: Connected
) -> None:
    assert pushed(clinic, connected).n_sent == 6
    assert server.count() == ALL

    names = {patient["identifier"][0]["value"]: patient["id"] for patient in server.of_type("Patient")}
    assert set(names) == {key("ada"), key("ben")}
    (flag,) = server.of_type("Flag")
    assert flag["subject"] == {"reference": f"Patient/{names[key('ada')]}"}
    states = sorted(one["status"] for one in server.of_type("Observation"))
    assert states == ["cancelled", "final", "final", "final"]


def test_what_the_server_has_is_not_sent_again_and_would_change_nothing(
    clinic: Settings, server: FhirServer, connected: Connected, warehouse: sa.Engine
) -> None:
    pushed(clinic, connected)
    n_requests = len(server.requests)
    assert pushed(clinic, connected) == Pushed(BOTH, 0, 6, 0)
    assert len(server.requests) == n_requests

    ids = set(server.store.resources)
    execute(warehouse, "DELETE FROM affect.fhir_deliveries")  # as if the memory were lost
    assert pushed(clinic, connected).n_sent == 6
    assert set(server.store.resources) == ids


def test_a_busy_server_is_left_alone_for_as_long_as_it_asks(
    clinic: Settings, server: FhirServer, connected: Connected, naps: list[float]
) -> None:
    server.faults = [Fault(429, {"Retry-After": "7"}), Fault(503)]
    pushed(clinic, connected)

    assert naps == [7.0, 2.0]
    assert server.count() == ALL


def test_a_connection_that_breaks_after_the_work_was_done_leaves_no_duplicates(
    clinic: Settings, server: FhirServer, connected: Connected
) -> None:
    server.faults = [Fault(drop=True), Fault(), Fault(drop=True)]
    pushed(clinic, connected)

    assert server.count() == ALL
    assert not server.faults


def test_a_server_that_stays_away_is_named_without_the_token(
    clinic: Settings, server: FhirServer, connected: Connected, warehouse: sa.Engine
) -> None:
    server.faults = [Fault(), *[Fault(500)] * 3]
    with pytest.raises(FhirServerUnavailable, match=r"AFFECT_FHIR_URL|not now") as caught:
        pushed(clinic, connected)
    assert TOKEN not in str(caught.value)

    assert pushed(clinic, connected).n_same > 0  # what it took before is remembered
    assert server.count() == ALL
    first, second = list_events(warehouse, action="fhir_pushed", limit=2)
    assert first["detail"]["n_sent"] + second["detail"]["n_sent"] == 6


def test_a_wait_that_is_too_long_is_not_waited_for(clinic: Settings, server: FhirServer, naps: list[float]) -> None:
    server.faults = [Fault(503, {"Retry-After": "Mon, 01 Jan 2125 00:00:00 GMT"})]
    with FhirClient(server.url, TOKEN, sleep=naps.append) as client, pytest.raises(FhirServerUnavailable):
        push(clinic, client, BOTH)

    assert naps == []


def test_a_refusal_is_told_in_the_servers_own_words(clinic: Settings, server: FhirServer) -> None:
    with (
        FhirClient(server.url, "another-token") as client,
        pytest.raises(FhirRefused, match=r"401 Unauthorized: login the token is not known") as caught,
    ):
        push(clinic, client, BOTH)

    assert "another-token" not in str(caught.value)
    assert len(server.requests) == 3  # it does not go on for long


def test_one_refused_bundle_does_not_hold_up_the_others(
    clinic: Settings, server: FhirServer, connected: Connected
) -> None:
    server.faults = [Fault(422)]
    with pytest.raises(FhirRefused, match=r"1 bundles were not taken; the first: .*422"):
        pushed(clinic, connected)
    assert server.count()["Observation"] == 2

    pushed(clinic, connected)
    assert server.count() == ALL


def test_changes_reach_the_server_as_new_versions(
    clinic: Settings, server: FhirServer, connected: Connected, warehouse: sa.Engine
) -> None:
    pushed(clinic, connected)
    with warehouse.begin() as connection:
        released = {"journal_id": digest("ben 2"), "status": "accepted", "failed": [], "warned": []}
        own = {"patient_key": key("ben"), "local_day": NEXT}
        upsert(connection, "journal_verdicts", frame(released))
        upsert(connection, "scores", frame(score("ben 2", **own)))
        connection.exec_driver_sql(
            "INSERT INTO affect.monitored_days (patient_key, model_digest, local_day, n_journals) "
            "SELECT patient_key, model_digest, local_day, 1 FROM affect.scores WHERE journal_id = %s",
            (digest("ben 2"),),
        )
        done = alert("alert of ada", patient_key=key("ada"), state="resolved", resolved_night=NEXT)
        upsert(connection, "drift_alerts", frame(done))

    assert pushed(clinic, connected, Nights.one(NEXT)).n_sent == 2
    assert server.count() == ALL
    assert {one["status"] for one in server.of_type("Observation")} == {"final"}
    (flag,), (task,) = server.of_type("Flag"), server.of_type("Task")
    assert (flag["status"], flag["meta"]["versionId"], task["status"]) == ("inactive", "2", "cancelled")


def test_what_does_not_stand_any_more_is_taken_back_once(
    clinic: Settings, server: FhirServer, connected: Connected, warehouse: sa.Engine
) -> None:
    pushed(clinic, connected)
    execute(warehouse, "DELETE FROM affect.drift_alerts")
    execute(warehouse, f"DELETE FROM affect.journals WHERE journal_id = '{digest('ben 1')}'")

    assert pushed(clinic, connected).n_taken_back == 2
    assert pushed(clinic, connected).n_taken_back == 0
    (flag,), (task,) = server.of_type("Flag"), server.of_type("Task")
    assert flag["status"] == task["status"] == "entered-in-error"
    assert server.count() == ALL


def test_nothing_new_is_told_of_who_withdrew_consent_and_nothing_is_called_wrong(
    clinic: Settings, server: FhirServer, connected: Connected, warehouse: sa.Engine
) -> None:
    pushed(clinic, connected, Nights.one(DAY))
    execute(warehouse, "UPDATE affect.patients SET consent_withdrawn_night = '2026-01-06'")

    assert pushed(clinic, connected) == Pushed(BOTH, 0, 0, 0)


def nightly(settings: Settings, server: FhirServer, connected: Connected, nights: Nights) -> str:
    return push_nightly(settings.model_copy(update={"fhir_url": server.url}), nights, connected())


def test_a_night_goes_on_without_its_server_and_the_next_catches_up(
    clinic: Settings, server: FhirServer, connected: Connected
) -> None:
    server.faults = [Fault(503)] * 3
    assert "the next night catches up" in nightly(clinic, server, connected, Nights.one(DAY))
    assert server.count() == {}

    assert "2026-01-05_2026-01-06: 6 sent" in nightly(clinic, server, connected, Nights.one(NEXT))
    assert server.count() == ALL
    assert nightly(clinic, server, connected, Nights.one(NEXT)).startswith("2026-01-06: 0 sent")


def test_no_server_is_asked_if_none_is_set(clinic: Settings) -> None:
    assert push_nightly(clinic, BOTH) == ""


def test_a_server_that_cannot_be_used_does_not_fail_a_night(clinic: Settings) -> None:
    nowhere = clinic.model_copy(update={"fhir_url": "http://fhir.example.org/r4"})

    assert "must begin with https" in push_nightly(nowhere, BOTH)


def test_two_senders_do_not_send_at_once(
    clinic: Settings, connected: Connected, warehouse: sa.Engine, server: FhirServer
) -> None:
    with warehouse.connect() as other:
        lock = sa.text("SELECT pg_advisory_lock(hashtextextended('affect fhir ' || :server, 0))")
        other.execute(lock, {"server": server.url})
        with pytest.raises(FhirBusy):
            pushed(clinic, connected)
        other.execute(sa.text("SELECT pg_advisory_unlock_all()"))
    assert pushed(clinic, connected).n_sent == 6


def test_after_a_rotation_the_server_knows_nobody_by_the_old_name(
    clinic: Settings, server: FhirServer, connected: Connected, warehouse: sa.Engine
) -> None:
    nightly(clinic, server, connected, BOTH)
    old, new = key("ada"), key("ada renamed")
    tables = ("patients", "journals", "scores", "monitored_days", "drift_alerts", "questionnaires", "fhir_deliveries")
    for table in tables:
        execute(warehouse, f"UPDATE affect.{table} SET patient_key = '{new}' WHERE patient_key = '{old}'")

    nightly(clinic, server, connected, Nights.one(NEXT))
    assert server.count() == ALL
    assert old not in json.dumps(list(server.store.resources.values()))


def test_an_erased_patient_is_erased_on_the_server_too(
    clinic: Settings, server: FhirServer, connected: Connected
) -> None:
    here = clinic.model_copy(update={"fhir_url": server.url, "fhir_token": _secret(TOKEN)})
    pushed(here, connected)

    receipt = erase(here, key("ada"), today=NEXT)

    assert receipt.servers == ()
    assert receipt.rows["fhir_deliveries"] == 4
    assert key("ada") not in json.dumps(list(server.store.resources.values()))
    assert server.count() == {"Patient": 1, "Device": 1, "Media": 2, "Observation": 2}
    assert list((clinic.home / "erasing").iterdir()) == []


def test_a_server_that_was_away_during_an_erasure_is_asked_again(
    clinic: Settings, server: FhirServer, connected: Connected
) -> None:
    pushed(clinic, connected)
    assert erase(clinic, key("ada"), today=NEXT).servers == (server.url,)  # nobody says how to reach it
    assert server.count() == ALL

    here = clinic.model_copy(update={"fhir_url": server.url, "fhir_token": _secret(TOKEN)})
    finish_interrupted(here, NEXT)
    assert server.count()["Patient"] == 1
    assert list((clinic.home / "erasing").iterdir()) == []


def test_another_server_than_the_one_of_the_settings_is_left_as_it_is(
    clinic: Settings, server: FhirServer, connected: Connected, warehouse: sa.Engine
) -> None:
    pushed(clinic, connected)
    execute(warehouse, "UPDATE affect.fhir_deliveries SET server = 'https://elsewhere'")
    with warehouse.connect() as connection:
        sent = sent_of(connection, key("ada"))

    assert withdraw(clinic, sent, connected()) == sent
    assert server.count() == ALL


@pytest.mark.parametrize(
    "url",
    [
        "http://fhir.example.org/r4", "https://ann:hunter2@fhir.example.org/r4", "ftp://fhir.example.org", "fhir",
        "https://fhir.example.org/r4?x=1", "https://[fhir",
    ],
)  # fmt: skip
def test_addresses_that_would_tell_too_much_are_refused(url: str) -> None:
    with pytest.raises(SettingsError, match="AFFECT_FHIR_URL") as caught:
        server_address(url)
    assert "hunter2" not in str(caught.value)


def test_the_token_may_stand_in_a_file(settings: Settings, tmp_path: Path) -> None:
    given = settings.model_copy(update={"fhir_url": "https://fhir.example.org", "fhir_token_file": tmp_path / "token"})
    with pytest.raises(SettingsError, match="AFFECT_FHIR_TOKEN_FILE"):
        client_of(given)

    (tmp_path / "token").write_text("from-a-file\n")
    assert given.bearer_token() == "from-a-file"
    with pytest.raises(SettingsError, match="no HTTP header"):
        FhirClient("https://fhir.example.org", "two\nlines")
    with pytest.raises(SettingsError, match="AFFECT_FHIR_URL is empty"):
        client_of(settings)


def test_requests_say_what_they_are(clinic: Settings, server: FhirServer, connected: Connected) -> None:
    pushed(clinic, connected)
    headers, content = server.requests[0]

    assert headers["Authorization"] == f"Bearer {TOKEN}"
    assert headers["Content-Type"] == "application/fhir+json"
    entry = json.loads(content)["entry"][0]
    assert entry["request"]["method"] == "PUT"
    first = min(key("ada"), key("ben"))
    expected = f"{PATIENT_SYSTEM}|{first}".replace(":", "%3A").replace("|", "%7C")
    assert entry["request"]["url"] == f"Patient?identifier={expected}"


def _secret(value: str) -> object:
    from pydantic import SecretStr

    return SecretStr(value)
