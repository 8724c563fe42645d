"""Nights through the real scheduler, on one local stack that the tests of this module share."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import httpx
import pytest
import sqlalchemy as sa
from playwright.sync_api import expect
from rich.console import Console

from affect_pipeline.errors import StackError
from affect_pipeline.nights import Nights
from affect_pipeline.serving.database import Database
from affect_pipeline.serving.people import find_by_login
from affect_pipeline.settings import Settings
from affect_pipeline.stack.demo import BACKFILL, NIGHTLY
from affect_pipeline.stack.environment import ADMIN, admin_password, lineage_file
from affect_pipeline.stack.follow import follow
from affect_pipeline.stack.local import LocalStack, local_stack
from affect_pipeline.stages.in_process import STAGES
from affect_pipeline.warehouse.embedded import embedded_server
from affect_pipeline.warehouse.engine import connect
from tests.dags.conftest import dag_facts, dags
from tests.e2e.conftest import SmallCohort, content
from tests.e2e.leaks import places_that_hold
from tests.model.registries import copy_registry
from tests.serving.browser import chromium

__all__ = ["dag_facts", "dags"]

pytestmark = [pytest.mark.slow, pytest.mark.stack]

SILENT = Console(quiet=True)
PATIENCE_MS = 60_000


@pytest.fixture(scope="module")
def stack(
    cohort: SmallCohort, registry_template: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[LocalStack]:
    home = tmp_path_factory.mktemp("a stack") / "a home"
    settings = copy_registry(registry_template, Settings(home=home))
    settings = settings.model_copy(update={"landing_url": str(cohort.landing)})
    with local_stack(settings, on_schedule=False, with_mlflow=False) as running:
        running.api.set_paused(NIGHTLY, paused=False)
        yield running


def finish(stack: LocalStack, dag_id: str, run_id: str) -> bool:
    return follow(stack.api, dag_id, run_id, console=SILENT, check=stack.processes.check, timeout_s=300)


@pytest.fixture(scope="module")
def history(stack: LocalStack, cohort: SmallCohort) -> LocalStack:
    """The stack after all nights but the last few went through the backfill DAG."""
    nights = cohort.history
    run_id = stack.api.trigger(BACKFILL, {"first_night": f"{nights.first}", "last_night": f"{nights.last}"})
    assert finish(stack, BACKFILL, run_id), stack.api.failed_tasks(BACKFILL, run_id)
    return stack


@pytest.fixture(scope="module")
def nightly(history: LocalStack, cohort: SmallCohort) -> str:
    """Run id of the nightly DAG for the night after them, as the schedule would start it."""
    (night,) = cohort.last_nights[0]
    run_id = history.api.trigger_night(NIGHTLY, night)
    assert finish(history, NIGHTLY, run_id), history.api.failed_tasks(NIGHTLY, run_id)
    return run_id


def query(stack: LocalStack, statement: str) -> list[Any]:
    with connect(stack.settings).connect() as connection:
        return list(connection.execute(sa.text(statement)))


def nights_run_by(stack: LocalStack, dag_id: str) -> set[date]:
    rows = query(stack, f"SELECT first_night, last_night FROM affect.runs WHERE dag_id = '{dag_id}'")
    return {night for first, last in rows for night in Nights(first, last)}


def test_a_night_leaves_rows_from_every_stage(history: LocalStack, nightly: str) -> None:
    counts = {table: rows for table, (rows, _) in content(history.settings).items()}

    for table in (
        "patients", "journals", "deliveries", "audio_quality", "quality_checks", "biomarkers", "scores",
        "monitored_days", "baselines", "nights",
    ):  # fmt: skip
        assert counts[table] > 0, table


def test_every_task_succeeded_and_scoring_held_a_slot_of_the_gpu_pool(history: LocalStack, nightly: str) -> None:
    instances = history.api.task_instances(NIGHTLY, nightly)

    assert {instance["task_id"] for instance in instances} == set(STAGES)
    assert {instance["state"] for instance in instances} == {"success"}
    assert {instance["pool"] for instance in instances if instance["task_id"] == "score"} == {"gpu"}


def test_a_run_of_the_nightly_dag_works_on_its_logical_date(
    history: LocalStack, nightly: str, cohort: SmallCohort
) -> None:
    (night,) = cohort.last_nights[0]

    assert night in nights_run_by(history, NIGHTLY)


def test_a_run_cleared_and_done_again_leaves_the_same_rows(history: LocalStack, nightly: str) -> None:
    before = content(history.settings)

    history.api.clear_run(NIGHTLY, nightly)

    assert finish(history, NIGHTLY, nightly)
    assert content(history.settings) == before


def test_a_manual_run_without_logical_date_takes_the_night_it_is_given(
    history: LocalStack, nightly: str, cohort: SmallCohort
) -> None:
    (night,) = cohort.last_nights[1]

    run_id = history.api.trigger(NIGHTLY, {"night": f"{night}"})

    assert finish(history, NIGHTLY, run_id)
    assert night in nights_run_by(history, NIGHTLY)


def test_a_backfill_of_airflow_runs_the_nights_of_its_dates(
    history: LocalStack, nightly: str, cohort: SmallCohort
) -> None:
    (first,), (last,) = cohort.last_nights[2:]

    run_ids = history.api.backfill(NIGHTLY, first, last)

    assert len(run_ids) == 2
    assert all(finish(history, NIGHTLY, run_id) for run_id in run_ids)
    assert {first, last} <= nights_run_by(history, NIGHTLY)


def test_what_cannot_succeed_fails_at_once(history: LocalStack) -> None:
    run_id = history.api.trigger(BACKFILL, {"first_night": "2026-01-07", "last_night": "2026-01-05"})

    assert not finish(history, BACKFILL, run_id)
    (collect,) = [row for row in history.api.task_instances(BACKFILL, run_id) if row["task_id"] == "collect"]
    assert collect["state"] == "failed"
    assert collect["try_number"] == 1
    assert collect["max_tries"] == 2


@pytest.mark.parametrize("dag_id", [NIGHTLY, BACKFILL])
def test_lineage_names_what_each_task_of_both_dags_reads_and_writes(
    history: LocalStack, nightly: str, dags: dict[str, Any], dag_id: str
) -> None:
    events = [json.loads(line) for line in lineage_file(history.settings).read_text().splitlines()]
    complete = {event["job"]["name"]: event for event in events if event["eventType"] == "COMPLETE"}
    home, landing = history.settings.home, Path(history.settings.landing)

    def names(datasets: list[dict[str, str]]) -> set[str]:
        """Return tables as ``affect/scores`` and folders by their name, after a look at where they are."""
        for one in datasets:
            assert one["namespace"] in {"postgres://localhost:5432", "file"}
            where = Path(unquote(one["name"]))
            assert one["namespace"] != "file" or where == landing or where.parent == home
        return {unquote(one["name"]).replace("affect.affect.", "affect/").rsplit("/", 1)[-1] for one in datasets}

    for stage, task in dags[dag_id]["tasks"].items():
        event = complete[f"{dag_id}.{stage}"]
        for said, which in ((event["inputs"], "inlets"), (event["outputs"], "outlets")):
            assert names(said) == {uri.rsplit("/", 1)[-1] for uri in task[which]}, (stage, which)
            assert said, (stage, which)


def test_no_source_identifier_is_found_outside_the_landing_zone(
    history: LocalStack, nightly: str, cohort: SmallCohort
) -> None:
    server = embedded_server(history.settings)
    databases = [server.url(name) for name in ("affect", "airflow", "mlflow")]
    home = history.settings.home
    (key,) = query(history, "SELECT patient_key FROM affect.patients LIMIT 1")[0]

    # What is looked for must be findable: a pseudonym, which may be anywhere, is found in rows and in files.
    pseudonym = places_that_hold([key], home, databases)
    assert any(place.startswith("affect: ") for place in pseudonym)
    assert any(place.startswith("rows of work") for place in pseudonym)
    # Nor do Airflow's tables and XCom learn one, so that an erasure has nothing to do there.
    assert [place for place in pseudonym if place.startswith("airflow: ")] == []

    assert places_that_hold(cohort.source_ids, home, [*databases, history.settings.mlflow_uri]) == []


def test_the_pages_want_airflows_login(history: LocalStack, nightly: str) -> None:
    address = f"{history.api.address}/affect/"
    with httpx.Client(trust_env=False, timeout=60) as anybody:
        assert anybody.get(address).status_code == httpx.codes.UNAUTHORIZED
        login = {"username": ADMIN, "password": admin_password(history.settings)}
        token = anybody.post(f"{history.api.address}/auth/token", json=login).json()["access_token"]
        page = anybody.get(address, headers={"Authorization": f"Bearer {token}"}, follow_redirects=True)

    assert page.status_code == httpx.codes.OK
    assert "text/html" in page.headers["content-type"]


def test_airflows_login_opens_the_alert_list_and_an_alert_is_acknowledged(history: LocalStack, nightly: str) -> None:
    """The counselor's story inside Airflow's own pages."""
    with chromium() as browser:
        page = browser.new_page(viewport={"width": 1280, "height": 900})
        page.set_default_timeout(PATIENCE_MS)
        page.goto(f"{history.airflow_address}/plugin/voice-monitoring")
        page.locator("input[name=username]").fill(ADMIN)
        page.locator("input[name=password]").fill(admin_password(history.settings))
        page.get_by_role("button", name="Sign in").click()
        page.wait_for_url(lambda url: "login" not in url)
        page.goto(f"{history.airflow_address}/plugin/voice-monitoring")
        frame = page.frame_locator("iframe")
        expect(frame.get_by_role("heading", name="Today")).to_be_visible(timeout=PATIENCE_MS)
        n_alerts = frame.locator(".card").count()
        assert n_alerts >= 1
        frame.get_by_role("link", name="See why").first.click()
        expect(frame.locator(".chart svg").first).to_be_visible(timeout=PATIENCE_MS)
        frame.get_by_label("Comment for colleagues").fill("Seen in Airflow.")
        frame.get_by_role("button", name="Acknowledge").click()
        expect(frame.get_by_text("Seen in Airflow.")).to_be_visible(timeout=PATIENCE_MS)
        expect(frame.locator(".badge.state-acknowledged")).to_be_visible(timeout=PATIENCE_MS)
        expect(frame.get_by_role("button", name="Log out")).to_have_count(0)
        page.close()


def test_an_airflow_user_whom_the_warehouse_does_not_know_is_kept_out(history: LocalStack) -> None:
    database = Database(history.settings)
    assert find_by_login(database, ADMIN) is not None
    with httpx.Client(base_url=history.airflow_address, timeout=60, trust_env=False) as client:
        anonymous = client.get("/affect/patients")
        login = {"username": ADMIN, "password": admin_password(history.settings)}
        token = client.post("/auth/token", json=login).json()["access_token"]
        headers = {"Authorization": f"Bearer {token}"}
        known = client.get("/affect/patients", headers=headers)
        with database.engine.begin() as connection:
            [person] = connection.exec_driver_sql("SELECT * FROM affect.people WHERE login = %s", (ADMIN,)).mappings()
            connection.exec_driver_sql("DELETE FROM affect.people WHERE login = %s", (ADMIN,))
        try:
            unknown = client.get("/affect/patients", headers=headers)
        finally:
            with database.engine.begin() as connection:
                connection.exec_driver_sql(
                    "INSERT INTO affect.people (login, display_name, role, clinics, sees) VALUES (%s, %s, %s, %s, %s)",
                    tuple(person[name] for name in ("login", "display_name", "role", "clinics", "sees")),
                )

    assert [anonymous.status_code, known.status_code, unknown.status_code] == [401, 200, 403]
    assert "affect people add admin" in unknown.json()["detail"]


def test_a_second_stack_in_the_same_home_is_refused(stack: LocalStack) -> None:
    refused = pytest.raises(StackError, match=f"already running in .*{stack.ports.api}")

    with refused, local_stack(stack.settings):
        pytest.fail("two stacks in one home")
