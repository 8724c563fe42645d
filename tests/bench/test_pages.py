"""The pages on speed say what the files of the benchmarks say."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from affect_pipeline.bench.page import page, with_plan
from affect_pipeline.bench.plan import Assumptions, costs, plan, section

ROOT = Path(__file__).parents[2]
BENCHMARKS = ROOT / "benchmarks"

NIGHT: dict[str, Any] = {
    "n_journals": 1000, "collect_s": 4.0, "measure_s": 50.0, "validate_s": 6.0, "score_s": 100.0, "monitor_s": 2.0,
    "publish_s": 1.0, "total_s": 163.0, "times_real_time": 20_000 / 163.0, "peak_gib": 1.5,
    "warehouse_bytes_a_journal": 3000.0,
}  # fmt: skip
SMALL: dict[str, Any] = NIGHT | {"n_journals": 200, "collect_s": 2.4, "validate_s": 7.0}
MEASURED: dict[str, Any] = {"rows": [SMALL, NIGHT], "machine": {"cores": 2, "processor": "a processor"}}


def test_the_page_of_benchmarks_is_made_from_their_files() -> None:
    assert (ROOT / "docs" / "benchmarks.md").read_text() == page(BENCHMARKS)


def test_the_plan_in_the_page_on_scaling_is_made_from_a_measured_night() -> None:
    text = (ROOT / "docs" / "scaling.md").read_text()

    assert text == with_plan(text, section(BENCHMARKS, Assumptions()))


def test_sharded_stages_are_charged_by_the_second_on_all_cores_and_others_by_the_further_journal() -> None:
    cost = costs([SMALL, NIGHT], cores=2)

    assert cost["measure"] == pytest.approx(2 * 50.0 / 20_000)
    assert cost["score"] == pytest.approx(2 * 100.0 / 20_000)
    assert cost["collect"] == pytest.approx(1.6 / 800)
    assert cost["validate"] == 0.0


def test_twice_the_patients_need_twice_the_hours_and_a_longer_window_fewer_cores() -> None:
    def hours(given: Assumptions) -> float:
        return float(dict(plan(MEASURED, given))["score, core-hours a night"].replace(",", ""))

    def cores(given: Assumptions) -> int:
        return int(dict(plan(MEASURED, given))["cores for measure and score, all on CPU"].replace(",", ""))

    small = Assumptions(patients=100_000)
    assert hours(replace(small, patients=200_000)) == pytest.approx(2 * hours(small), rel=0.01)
    assert cores(replace(small, window_h=8.0)) < cores(small) / 2 + 1


def test_a_window_that_is_too_short_is_said_to_be() -> None:
    lines = dict(plan(MEASURED, Assumptions(window_h=0.01)))

    assert lines["cores for measure and score, all on CPU"] == "the window is too short"
