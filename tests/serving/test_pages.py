"""Pages, charts and reports."""

from __future__ import annotations

import json
import re
from datetime import date
from html.parser import HTMLParser
from pathlib import Path

import altair
import pytest
from starlette.testclient import TestClient

from affect_pipeline.model.scorer import Scorer
from affect_pipeline.serving import charts, words
from affect_pipeline.serving.app import create_app
from affect_pipeline.serving.digest import weekly_digest
from affect_pipeline.serving.pages.model import figures
from affect_pipeline.serving.pages.moved import moved_channels
from affect_pipeline.serving.problems import Problem
from affect_pipeline.serving.reports import report_svg, to_html, to_pdf
from tests.serving.conftest import World

PAGES = ("/dashboard", "/dashboard/patients", "/dashboard/cohort", "/dashboard/quality", "/dashboard/model")


@pytest.fixture
def nora(world: World) -> TestClient:
    return world.client("nora")


@pytest.fixture
def patient(nora: TestClient) -> str:
    key: str = nora.get("/patients?state=alert").json()["patients"][0]["patient_key"]
    return key


class Balanced(HTMLParser):
    """Fails on tags that are closed in another order than they were opened."""

    VOID = frozenset({"meta", "link", "input", "img", "br"})

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.ids += [value for name, value in attrs if name == "id" and value]
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


@pytest.mark.parametrize("path", PAGES)
def test_every_page_is_whole_and_names_itself(nora: TestClient, path: str) -> None:
    page = nora.get(path)

    assert page.status_code == 200
    parsed = Balanced()
    parsed.feed(page.text)
    assert parsed.open == []
    assert len(set(parsed.ids)) == len(parsed.ids)
    assert '<html lang="en">' in page.text
    assert page.text.count("<h1>") == 1
    assert page.text.count('aria-current="page"') == 1
    assert words.SHORT_DISCLAIMER in page.text


def test_today_says_when_more_patients_alert_than_a_care_team_can_look_at_and_shows_them_all(
    world: World, tiny_scorer: Scorer
) -> None:
    settings = world.settings.model_copy(update={"alert_budget": 1})
    small = World(create_app(settings, load_scorer=lambda: tiny_scorer), settings, world.database, world.tokens)

    within, beyond = (each.client("ana").get("/dashboard").text for each in (world, small))
    found = world.client("ana").get("/alerts?state=new").json()["alerts"]

    waiting = {alert["patient_key"] for alert in found}
    assert "alert budget" not in within
    assert len(waiting) > 2
    assert "more than the alert budget of 1 a day" in beyond
    assert all(f"alert-{alert['alert_id'][:8]}" in beyond for alert in found)


@pytest.mark.parametrize("path", PAGES)
def test_every_page_stands_without_any_data(own_world: World, path: str) -> None:
    with own_world.database.engine.begin() as connection:
        connection.exec_driver_sql(
            "TRUNCATE affect.patients, affect.journals, affect.drift_alerts, affect.alert_events"
        )
        connection.exec_driver_sql("TRUNCATE affect.nights, affect.runs, affect.model_versions, affect.baselines")

    page = own_world.client("nora").get(path)

    assert page.status_code == 200
    assert 'class="notice' in page.text


def test_today_says_who_why_since_when_how_sure_and_who_has_it(nora: TestClient, patient: str) -> None:
    page = nora.get("/dashboard").text

    assert f"Patient {patient[:8]}" in page
    assert "sounds lower in mood" in page
    assert "15 Mar 2026" in page
    assert "between 11 Mar 2026 and 19 Mar 2026" in page
    assert "times the limit" in page
    assert "nobody yet" in page
    assert "What changed since the night before" in page
    assert "Could not be judged" in page


def test_a_patient_page_shows_alert_charts_baseline_and_recordings(nora: TestClient, patient: str) -> None:
    page = nora.get(f"/dashboard/patients/{patient}").text

    for name in ("trend", "evidence", "channels"):
        assert f'data-chart="/dashboard/patients/{patient}/charts/{name}.json?days=120"' in page
        assert f"charts/{name}.png" in page
    assert "Now, beside their usual" in page
    assert "(Europe/Berlin)" in page
    assert "usable with care" in page
    assert "Acknowledge" in page


def test_analysts_get_no_buttons(world: World, patient: str) -> None:
    page = world.client("ana").get(f"/dashboard/patients/{patient}").text

    assert "Acknowledge</button>" not in page


def test_what_people_wrote_is_text_and_never_markup(own_world: World) -> None:
    client = own_world.client("nora")
    alert = client.get("/alerts").json()["alerts"][0]
    client.post(f"/alerts/{alert['alert_id']}/comment", json={"comment": "<script>alert(1)</script>"})

    page = client.get(f"/dashboard/patients/{alert['patient_key']}").text

    assert "<script>alert(1)" not in page
    assert "&lt;script&gt;alert(1)" in page


def test_pages_work_below_a_prefix(world: World) -> None:
    client = TestClient(world.app, headers=world.client("nora").headers, root_path="/affect", follow_redirects=False)

    page = client.get("/dashboard").text

    addresses = re.findall(r'(?:href|src|action)="([^"#]+)"', page)
    assert addresses
    assert all(address.startswith("/affect/") for address in addresses)


def test_an_error_is_a_page_for_people_and_a_problem_for_programs(nora: TestClient) -> None:
    missing = "/dashboard/patients/" + "0" * 32

    page = nora.get(missing, headers={"Accept": "text/html"})
    problem = nora.get(missing)

    assert (page.status_code, problem.status_code) == (404, 404)
    assert "<h1>Not found</h1>" in page.text
    assert problem.json()["type"] == "not-found"


@pytest.mark.parametrize("name", ["trend", "evidence", "channels"])
def test_charts_of_a_patient_are_drawn_as_pictures_too(nora: TestClient, patient: str, name: str) -> None:
    address = f"/dashboard/patients/{patient}/charts/{name}"

    spec = nora.get(f"{address}.json")
    picture = nora.get(f"{address}.png")

    assert spec.json()["$schema"].startswith("https://vega.github.io/schema/vega-lite/")
    assert "NaN" not in spec.text
    assert picture.content.startswith(b"\x89PNG")
    assert len(picture.content) > 10_000


def test_a_chart_that_is_not_there_is_not_found(nora: TestClient, patient: str) -> None:
    assert nora.get(f"/dashboard/patients/{patient}/charts/other.json").status_code == 404
    assert nora.get("/dashboard/cohort/charts/other.json").status_code == 404


def test_the_trend_marks_onset_alert_gaps_and_a_new_device() -> None:
    days = (date(2026, 3, 1), date(2026, 3, 31))
    row = {"value": 0.0, "expected": 0.0, "band_low": -1.0, "band_high": 1.0, "signal": False, "n_journals": 1}
    channel = {"channel": "valence", "days": [{**row, "local_day": date(2026, 3, day)} for day in (1, 2, 5)]}
    onset = {"onset_low": date(2026, 3, 4), "onset_high": date(2026, 3, 6)}
    alert = {**onset, "opened_night": date(2026, 3, 9), "severity": "low"}

    spec = json.dumps(
        charts.trend_chart(channel, days, [alert], [{"local_day": date(2026, 3, 5), "label": "device: b"}])
    )

    assert spec.count("no usable journal") == 28
    assert "change began in here" in spec
    assert "alert raised (low)" in spec
    assert "device: b" in spec


def test_the_low_mood_signal_is_shown_as_a_probability() -> None:
    assert charts.display_value("depression", 0.0) == 0.5
    assert charts.display_value("depression", -1000.0) == pytest.approx(0.0, abs=1e-9)
    assert charts.display_value("valence", -0.3) == -0.3
    assert charts.display_value("valence", float("nan")) is None


def test_new_devices_and_models_are_marked(own_world: World) -> None:
    client = own_world.client("ada")
    with own_world.database.engine.begin() as connection:
        key = connection.exec_driver_sql(
            "SELECT patient_key FROM affect.journals WHERE device = 'phone-b' GROUP BY 1 ORDER BY count(*) DESC LIMIT 1"
        ).scalar_one()
    chart = f"/dashboard/patients/{key}/charts/trend.json"
    before = client.get(chart).json()["datasets"]["marks"]
    with own_world.database.engine.begin() as connection:
        connection.exec_driver_sql(
            "INSERT INTO affect.model_versions (model_digest, name, registry_version, registered_at) "
            "VALUES (repeat('c', 64), 'affect-wav2vec2', 2, '2026-03-30 12:00+00'), "
            "(repeat('d', 64), 'never-heard-this-patient', 3, '2026-03-30 12:00+00')"
        )
        connection.exec_driver_sql(
            "UPDATE affect.model_versions SET registered_at = '2026-01-01' WHERE model_digest = repeat('b', 64)"
        )
        connection.exec_driver_sql(
            "INSERT INTO affect.scores SELECT (jsonb_populate_record(s, "
            "jsonb_build_object('model_digest', repeat('c', 64)))).* FROM affect.scores AS s WHERE patient_key = %s",
            (key,),
        )

    after = client.get(chart).json()["datasets"]["marks"]

    assert [mark["label"] for mark in before] == ["device: phone-b"]
    assert [mark["label"] for mark in after] == ["device: phone-b", "model: affect-wav2vec2 2"]
    assert "model: affect-wav2vec2 2" in client.get(f"/dashboard/patients/{key}").text


@pytest.mark.parametrize("name", ["trend", "evidence", "channels"])
def test_charts_are_valid_vega_lite(nora: TestClient, patient: str, name: str) -> None:
    spec = nora.get(f"/dashboard/patients/{patient}/charts/{name}.json").json()

    assert "@" not in json.dumps({**spec, "datasets": None})
    if spec.get("width") == charts.PAGE:
        spec["width"] = 600
    altair.Chart.from_dict(spec, validate=True)


@pytest.mark.parametrize("path", ["/dashboard/cohort/charts/weeks", "/dashboard/quality/charts/nights"])
def test_charts_of_counts_are_valid_vega_lite_and_not_sent_twice(nora: TestClient, path: str) -> None:
    answer = nora.get(f"{path}.json")

    altair.Chart.from_dict({**answer.json(), "width": 600}, validate=True)
    assert nora.get(f"{path}.json", headers={"If-None-Match": answer.headers["etag"]}).status_code == 304


def test_what_moved_is_said_in_words_the_largest_first() -> None:
    moved = moved_channels(
        {"pause_rate": {"effect_sd": 0.8}, "pitch_variability": {"effect_sd": -1.25}, "adherence": {}}
    )

    assert [item.text for item in moved] == [
        "Pitch variability: flatter melody (1.2 of their own SDs)",
        "Pauses: pauses more (0.8 of their own SDs)",
        "Journals recorded",
    ]
    assert moved_channels(None) == []


def test_figures_of_a_model_card_are_read_at_any_depth() -> None:
    assert figures({"auc": 0.81234, "by_sex": {"f": 0.8}, "n": 3, "skip": [1]}) == [
        ("auc", "0.812"), ("by sex: f", "0.8"), ("n", "3"),
    ]  # fmt: skip
    assert figures(None) == []


def test_vega_comes_from_the_installed_package_once(nora: TestClient) -> None:
    first = nora.get("/assets/vega.js", headers={"Accept-Encoding": "gzip"})
    again = nora.get("/assets/vega.js", headers={"If-None-Match": first.headers["etag"]})

    assert first.headers["content-encoding"] == "gzip"
    assert "vegaEmbed" in first.text
    assert again.status_code == 304


def test_a_report_is_one_page_in_pdf_or_html(world: World, patient: str) -> None:
    with world.database.as_person("nora") as queries:
        svg = report_svg(queries, patient, None, None)

    assert to_pdf(svg).startswith(b"%PDF")
    html = to_html(svg, patient)
    assert f"patient {patient[:8]}" in html
    assert "not a diagnosis" in html
    assert "http" not in re.sub(r'xmlns[:a-z]*="[^"]*"', "", html)


def test_a_report_on_somebody_elses_patient_is_refused(world: World, patient: str) -> None:
    with world.database.as_person("sam") as queries, pytest.raises(Problem, match="404"):
        report_svg(queries, patient, None, None)


def test_the_digest_says_where_to_look_and_not_how_anybody_is(world: World, patient: str) -> None:
    with world.database.as_person("nora") as queries:
        message = weekly_digest(queries)

    assert message is not None
    assert patient[:8] in message.body
    assert "1 Apr 2026" in message.title
    assert not re.search(r"mood|worse|severity|high|SD", message.body)
    assert message.picture is not None
    assert message.picture.startswith(b"\x89PNG")


def test_static_files_and_templates_ship_with_the_package() -> None:
    folder = Path(charts.__file__).parent

    assert (folder / "static" / "affect.css").is_file()
    assert (folder / "templates" / "today.html").is_file()
