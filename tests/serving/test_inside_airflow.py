"""The counselor's story inside Airflow's own pages, behind Airflow's login."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest
from playwright.sync_api import expect

from affect_pipeline.bench.warehouse_rows import fill
from affect_pipeline.serving.database import Database
from affect_pipeline.serving.people import find_by_login
from affect_pipeline.settings import Settings
from affect_pipeline.stack.environment import ADMIN, admin_password
from affect_pipeline.stack.local import LocalStack, local_stack
from affect_pipeline.warehouse.engine import connect
from tests.serving.browser import chromium
from tests.serving.conftest import SMALL

pytestmark = [pytest.mark.slow, pytest.mark.stack]
PATIENCE_MS = 60_000


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalStack]:
    settings = Settings(home=tmp_path_factory.mktemp("airflow") / "home")
    with local_stack(settings, on_schedule=False, with_mlflow=False) as running:
        fill(connect(running.settings), SMALL)
        yield running


def test_airflows_login_opens_the_alert_list_and_an_alert_is_acknowledged(stack: LocalStack) -> None:
    with chromium() as browser:
        page = browser.new_page(viewport={"width": 1280, "height": 900})
        page.set_default_timeout(PATIENCE_MS)
        page.goto(f"{stack.airflow_address}/plugin/voice-monitoring")
        page.locator("input[name=username]").fill(ADMIN)
        page.locator("input[name=password]").fill(admin_password(stack.settings))
        page.get_by_role("button", name="Sign in").click()
        page.wait_for_url(lambda url: "login" not in url)
        page.goto(f"{stack.airflow_address}/plugin/voice-monitoring")
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


def test_an_airflow_user_whom_the_warehouse_does_not_know_is_kept_out(stack: LocalStack) -> None:
    database = Database(stack.settings)
    assert find_by_login(database, ADMIN) is not None
    with httpx.Client(base_url=stack.airflow_address, timeout=60, trust_env=False) as client:
        anonymous = client.get("/affect/patients")
        login = {"username": ADMIN, "password": admin_password(stack.settings)}
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
