"""The counselor's story in a real browser, and what assistive technology sees."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Browser, Page, expect

from affect_pipeline.nights import Nights
from affect_pipeline.population.check import Drawn, PopulationCheck, report_path
from affect_pipeline.population.compare import Comparison, Paired
from affect_pipeline.population.report import write_report
from tests.serving.browser import axe_script, chromium, served, violations
from tests.serving.conftest import World

pytestmark = pytest.mark.slow
PAGES = ("/dashboard", "/dashboard/patients", "/dashboard/cohort", "/dashboard/quality", "/dashboard/model")
NOT_DRAWN = '[data-chart]:not([data-state="drawn"])'


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as started:
        yield started


def log_in(page: Page, address: str, token: str) -> list[str]:
    """Log in as a person would; return a list that collects what the browser complains about."""
    complaints: list[str] = []
    page.on(
        "console", lambda message: complaints.append(message.text) if message.type in ("error", "warning") else None
    )
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.goto(address)
    page.get_by_label("Access token").fill(token)
    page.get_by_role("button", name="Log in").click()
    return complaints


def test_a_counselor_logs_in_reads_why_acknowledges_and_sees_it_move(own_world: World, browser: Browser) -> None:
    with served(own_world.app) as address:
        page = browser.new_page(timezone_id="America/Los_Angeles")
        complaints = log_in(page, address, own_world.tokens["nora"])
        expect(page.get_by_role("heading", name="Today")).to_be_visible()
        cards = page.locator(".card")
        n_alerts = cards.count()
        assert n_alerts >= 1
        cards.first.get_by_role("link", name="See why").click()
        expect(page.locator(".card").get_by_text("sounds lower in mood")).to_be_visible()
        page.wait_for_selector(NOT_DRAWN, state="detached")
        assert page.locator(".chart svg").count() == page.locator(".chart").count() > 0
        page.get_by_label("Comment for colleagues").fill("I call this afternoon.")
        page.get_by_role("button", name="Acknowledge").click()
        expect(page.locator(".badge.state-acknowledged")).to_be_visible()
        expect(page.get_by_text("I call this afternoon.")).to_be_visible()
        page.get_by_role("navigation", name="Pages").get_by_role("link", name="Today").click()
        page.get_by_role("link", name="acknowledged").click()
        expect(page.locator(".card")).to_have_count(1)
        page.get_by_role("link", name="new", exact=True).click()
        expect(page.locator(".card")).to_have_count(n_alerts - 1)
        page.get_by_role("button", name="Log out").click()
        expect(page.get_by_role("heading", name="Log in")).to_be_visible()
        page.close()

    assert complaints == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_on_any_page(
    world: World, browser: Browser, scheme: str, request: pytest.FixtureRequest
) -> None:
    axe = axe_script(Path(request.config.cache.mkdir("axe")))
    with served(world.app) as address:
        page = browser.new_page(color_scheme=scheme, bypass_csp=True, viewport={"width": 390, "height": 800})  # type: ignore[arg-type]
        page.goto(f"{address}/login")
        found = {"/login": violations(page, axe)}
        log_in(page, address, world.tokens["nora"])
        patient = page.locator(".card h3 a").first.get_attribute("href") or ""
        for path in (*(PAGES if scheme == "light" else PAGES[:1]), patient.split("#")[0]):
            page.goto(address + path)
            page.wait_for_selector(NOT_DRAWN, state="detached")
            found[path] = violations(page, axe)
        page.close()

    assert {path: lines for path, lines in found.items() if lines} == {}


def test_no_page_is_wider_than_a_phone(world: World, browser: Browser) -> None:
    with served(world.app) as address:
        page = browser.new_page(viewport={"width": 360, "height": 740})
        log_in(page, address, world.tokens["nora"])
        patient = page.locator(".card h3 a").first.get_attribute("href") or ""
        for path in (*PAGES, patient.split("#")[0]):
            page.goto(address + path)
            page.wait_for_selector(NOT_DRAWN, state="detached")
            assert page.evaluate("document.documentElement.scrollWidth") <= 360, path
        page.close()


def test_the_alert_can_be_reached_and_acknowledged_with_the_keyboard_alone(own_world: World, browser: Browser) -> None:
    with served(own_world.app) as address:
        page = browser.new_page()
        log_in(page, address, own_world.tokens["nora"])
        page.wait_for_selector("h1")
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.textContent") == "Skip to content"
        for _ in range(40):
            page.keyboard.press("Tab")
            if (page.evaluate("document.activeElement.textContent") or "").strip() == "Acknowledge":
                break
        page.keyboard.press("Enter")
        expect(page.locator(".badge.state-acknowledged").first).to_be_visible()
        page.close()


def test_pages_say_everything_without_a_script(world: World, browser: Browser) -> None:
    with served(world.app) as address:
        page = browser.new_page(java_script_enabled=False)
        log_in(page, address, world.tokens["nora"])
        page.locator(".card h3 a").first.click()
        picture = page.locator(".chart img").first
        expect(picture).to_be_visible(timeout=30_000)
        expect(page.get_by_role("heading", name="Recordings")).to_be_visible()
        page.close()


def test_a_report_on_the_recordings_as_a_whole_is_drawn_behind_its_walls(world: World, browser: Browser) -> None:
    one = Comparison(Paired("all", "everybody", "snr_db", 30, 30), "shifted", None, 3.0, 1.0, 1e-6, 1e-3)
    drawn = Drawn(one, np.linspace(10, 30, 30), np.linspace(13, 33, 30))
    night = Nights.one(date(2020, 1, 5))
    assert write_report(PopulationCheck(night.last, (one,), (drawn,)), report_path(world.settings, night))
    with served(world.app) as address:
        page = browser.new_page()
        complaints = log_in(page, address, world.tokens["ana"])
        expect(page.get_by_role("heading", name="Today")).to_be_visible()
        page.wait_for_load_state("networkidle")
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        page.goto(f"{address}/dashboard/population/{night.name}")
        expect(page.get_by_text("signal to noise (dB), all recordings").first).to_be_visible()
        expect(page.locator("svg.main-svg").first).to_be_visible()

    assert page.evaluate("self.origin") == "null"
    assert [url for url in asked if not url.startswith(("data:", "blob:"))] == [
        f"{address}/dashboard/population/{night.name}"
    ]
    assert [line for line in complaints if "population" in line] == []
