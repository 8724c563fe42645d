"""What people see of a shift of the recordings as a whole."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from affect_pipeline.model.scorer import Scorer
from affect_pipeline.settings import Settings
from affect_pipeline.warehouse.load import upsert
from tests.serving.conftest import MADE_UP, SMALL, World, make_world
from tests.warehouse.rows import frame

NIGHT = MADE_UP.last_day


def comparison(part: str, **changes: Any) -> dict[str, Any]:
    row = {
        "night": NIGHT, "dimension": "device", "part": part, "measure": "energy_mean_db", "state": "shifted",
        "reason": None, "n_current": 31, "n_patients": 30, "reference_mean": -30.0, "current_mean": -36.1,
        "difference": -6.1, "effect": -2.4, "p_value": 1e-9, "threshold": 1e-4,
    }  # fmt: skip
    return row | changes


@pytest.fixture(scope="module")
def shifted(
    new_warehouse: Callable[[Path], Settings], tmp_path_factory: pytest.TempPathFactory, tiny_scorer: Scorer
) -> Iterator[World]:
    made = make_world(new_warehouse(tmp_path_factory.mktemp("shifted") / "home"), tiny_scorer, SMALL)
    unknown = {"state": "too_little_data", "reason": "3 of 9 patients", "p_value": None, "difference": None}
    with made.database.engine.begin() as connection:
        rows = frame(
            comparison("phone-b"),
            comparison("north", dimension="clinic", effect=-1.0),
            comparison("south", dimension="clinic", measure="snr_db", effect=-1.0),
            comparison("west", dimension="clinic", **unknown),
        )
        upsert(connection, "population_comparisons", rows)
    yield made
    made.app.state.inference.close()
    made.app.state.decoding.executor.shutdown()


def run_name(world: World) -> str:
    run = world.client("ada").get("/runs").json()["runs"][0]
    first, last = run["first_night"], run["last_night"]
    return str(first) if first == last else f"{first}_{last}"


@pytest.fixture(scope="module")
def report(shifted: World) -> str:
    name = run_name(shifted)
    folder = shifted.settings.docs_dir
    folder.mkdir(parents=True)
    (folder / f"{name}-population.html").write_text("<!doctype html><script>1</script>")
    return name


def test_today_says_that_alerts_may_come_from_a_shift_and_hides_none(shifted: World, world: World) -> None:
    page = shifted.client("nora").get("/dashboard").text

    assert "The recordings as a whole have shifted" in page
    assert "device phone-b: mean energy -6.1 dB" in page
    assert "Alerts of these nights may come from that and not from the patients" in page
    assert page.count('class="card severity-') == world.client("nora").get("/dashboard").text.count(
        'class="card severity-'
    )
    assert 'id="shifted"' not in world.client("nora").get("/dashboard").text


def test_data_quality_lists_what_shifted_and_why_something_could_not_be_compared(shifted: World, world: World) -> None:
    page = shifted.client("ana").get("/dashboard/quality").text

    assert "3 comparisons, 3 shifted, 1 with too little data (for instance: 3 of 9 patients)" in page
    assert "No night has been compared yet." in world.client("ana").get("/dashboard/quality").text


def test_a_counselor_sees_no_shift_of_another_clinic(shifted: World) -> None:
    def parts(login: str) -> set[str]:
        found = shifted.client(login).get("/quality").json()["population"]["shifts"]
        return {shift["part"] for shift in found}

    assert parts("nora") == {"phone-b", "north"}
    assert parts("sam") == {"phone-b", "south"}
    assert parts("ana") == {"phone-b", "north", "south"}


def test_the_run_links_its_report_for_those_who_see_the_whole_cohort(shifted: World, report: str) -> None:
    address = f"/dashboard/population/{report}"

    assert f'href="{address}"' in shifted.client("ana").get("/dashboard/quality").text
    assert address not in shifted.client("nora").get("/dashboard/quality").text
    assert shifted.client("nora").get(address).status_code == 403
    assert shifted.client().get(address).status_code in {303, 401}


def test_a_report_has_no_origin_and_reaches_nothing(shifted: World, report: str) -> None:
    answer = shifted.client("ana").get(f"/dashboard/population/{report}")

    policy = answer.headers["content-security-policy"]
    assert answer.text.startswith("<!doctype html>")
    assert policy.startswith("sandbox allow-scripts; default-src 'none';")
    assert "allow-same-origin" not in policy
    assert "connect-src" not in policy


@pytest.mark.parametrize("nights", ["2020-01-01", "..%2F..%2Fsecrets", "nothing"])
def test_what_is_no_report_is_not_found(shifted: World, nights: str) -> None:
    assert shifted.client("ana").get(f"/dashboard/population/{nights}").status_code == 404
