"""Questionnaires on the pages, and in what is delivered."""

from __future__ import annotations

import json
from pathlib import Path

import altair
import pytest
from starlette.testclient import TestClient

from affect_pipeline.bench.warehouse_rows import MODEL_DIGEST
from affect_pipeline.journals.questionnaires import Arrival, read_questionnaire
from affect_pipeline.serving import charts, words
from tests.serving.conftest import NOW, World
from tests.serving.test_delivering import deliver, landed

CHART = f"/dashboard/model/charts/{MODEL_DIGEST}/phq"
PHQ = {"instrument": "PHQ-9", "items": [1, 2, 0, 1, 0, 0, 1, 0, 0]}


@pytest.fixture
def nora(world: World) -> TestClient:
    return world.client("nora")


def patient_of(world: World, clinic: str) -> str:
    with world.database.engine.connect() as connection:
        return str(
            connection.exec_driver_sql(
                "SELECT patient_key FROM affect.phq_answers JOIN affect.patients USING (patient_key) "
                "WHERE clinic = %s GROUP BY 1 HAVING max(item_9) = 0 ORDER BY count(*) DESC, 1 LIMIT 1", (clinic,)
            ).scalar_one()
        )  # fmt: skip


def note_thoughts(world: World, patient: str, night: str) -> None:
    """Put in answers that were refused, though the ninth could be read."""
    with world.database.engine.begin() as connection:
        connection.exec_driver_sql(
            "INSERT INTO affect.questionnaires (delivery_key, patient_key, night, source, local_day, item_9, problem) "
            "VALUES (md5('refused'), %s, %s, 'file', %s, 2, 'total_mismatch')", (patient, night, night)
        )  # fmt: skip


def test_thoughts_of_self_harm_are_on_the_first_page_of_the_clinic_the_same_night_and_for_two_weeks(
    own_world: World,
) -> None:
    patient = patient_of(own_world, "north")
    with own_world.database.engine.begin() as connection:
        connection.exec_driver_sql("DELETE FROM affect.questionnaires WHERE item_9 > 0")
    before = own_world.client("nora").get("/dashboard").text
    note_thoughts(own_world, patient, "2026-04-01")

    shown = own_world.client("nora").get("/dashboard").text
    page = own_world.client("nora").get(f"/dashboard/patients/{patient}").text
    quality = own_world.client("nora").get("/dashboard/quality").text

    assert "Questionnaires that were refused" in quality
    assert words.REASONS["total_mismatch"] in quality
    assert "Thoughts of self-harm" not in before
    assert shown.index("Thoughts of self-harm") < shown.index('<h2 id="alerts-title">')
    assert f"Patient {patient[:8]}" in shown
    assert "more than half the days" in shown
    assert "the rest of the questionnaire was refused: the total is not the sum of the answers" in shown
    assert "This is not a crisis service" in shown
    assert "Thoughts of self-harm:" in page
    assert patient[:8] not in own_world.client("sam").get("/dashboard").text

    with own_world.database.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE affect.questionnaires SET night = night - 14 WHERE item_9 > 0")
    assert "Thoughts of self-harm" not in own_world.client("nora").get("/dashboard").text
    assert "Thoughts of self-harm:" in own_world.client("nora").get(f"/dashboard/patients/{patient}").text


def test_a_patient_s_questionnaires_stand_beside_the_voice(world: World, nora: TestClient) -> None:
    patient = patient_of(world, "north")

    page = nora.get(f"/dashboard/patients/{patient}").text
    spec = nora.get(f"/dashboard/patients/{patient}/charts/trend.json").json()

    assert words.PHQ_DISCLAIMER in page
    assert "PHQ-9" in page
    assert "Thoughts of self-harm:" not in page
    assert {row["what"] for row in spec["datasets"]["phq"]} == {"PHQ-9"}
    altair.Chart.from_dict({**spec, "width": 600}, validate=True)
    assert charts.to_png(spec).startswith(b"\x89PNG")


def test_the_model_page_says_how_far_voice_and_phq_agree_and_for_how_many(world: World, nora: TestClient) -> None:
    page = nora.get("/dashboard/model").text
    spec = nora.get(f"{CHART}.json").json()

    assert "Voice beside the PHQ" in page
    assert "screening questionnaire, not a diagnosis" in page
    assert "Sensitivity: of" in page
    assert {row["kind"] for row in spec["datasets"]["agreement"]} == {"within patients", "between patients"}
    altair.Chart.from_dict({**spec, "width": 600}, validate=True)
    assert nora.get(f"{CHART}.png").content.startswith(b"\x89PNG")
    assert nora.get(CHART.replace(MODEL_DIGEST, "0" * 64) + ".json").status_code == 404


def test_everybody_gets_the_agreement_of_their_own_patients_anew_after_a_night(own_world: World) -> None:
    north, everybody = (own_world.client(login).get(f"{CHART}.json").json() for login in ("nora", "ana"))
    with own_world.database.engine.begin() as connection:
        connection.exec_driver_sql("DELETE FROM affect.questionnaires WHERE local_day > '2026-03-15'")
    later = own_world.client("ana").get(f"{CHART}.json").json()

    assert north["datasets"] != everybody["datasets"]
    assert later["datasets"] != everybody["datasets"]


def test_without_questionnaires_pages_say_so(own_world: World) -> None:
    with own_world.database.engine.begin() as connection:
        connection.exec_driver_sql("TRUNCATE affect.questionnaires")
    client = own_world.client("nora")
    patient = client.get("/patients").json()["patients"][0]["patient_key"]

    assert "No questionnaires yet" in client.get("/dashboard/model").text
    assert "No questionnaires yet" in client.get(f"/dashboard/patients/{patient}").text
    assert "phq" not in client.get(f"/dashboard/patients/{patient}/charts/trend.json").json()["datasets"]


def test_answers_are_delivered_with_a_journal(own_world: World) -> None:
    assert deliver(own_world, questionnaire=json.dumps(PHQ)).status_code == 201

    [note] = [name for name in landed(own_world) if name.endswith(".json")]
    content = (Path(own_world.settings.landing) / note).read_bytes()
    row = read_questionnaire(content, Arrival("d" * 32, "a" * 32, NOW.date(), "journal"))
    assert row is not None
    assert (row.problem, row.total, row.local_day.isoformat()) == (None, 5, "2026-03-31")


def test_answers_that_the_night_would_refuse_are_refused_at_once(own_world: World) -> None:
    refused = {
        "{": "sidecar_malformed",
        "[1]": "sidecar_malformed",
        json.dumps(PHQ | {"items": [1]}): "items_malformed",
        json.dumps(PHQ | {"total": 6}): "total_mismatch",
    }
    for phq, reason in refused.items():
        answer = deliver(own_world, questionnaire=phq)

        assert (answer.status_code, answer.json()["reason"]) == (422, reason)
    assert landed(own_world) == []
