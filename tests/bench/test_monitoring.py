"""The benches of monitoring in their quick sizes: the shape of what they write, and what must hold at any size."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from affect_pipeline.cli.bench import app


def run(tmp_path: Path, *arguments: str) -> tuple[str, dict[str, Any]]:
    """Run a bench in its quick size; return what it printed and what it wrote."""
    path = tmp_path / "figures.json"
    result = CliRunner().invoke(app, [*arguments, "--quick", "--json", str(path)], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    written: dict[str, Any] = json.loads(path.read_text())
    return result.output, written


@pytest.mark.slow
def test_the_bench_of_charts_finds_larger_changes_more_often_and_keeps_false_alarms_near_the_setting(
    tmp_path: Path,
) -> None:
    printed, written = run(tmp_path, "drift", "--no-river")

    charts = {row["chart"]: row for row in written["charts"]}
    assert {"Shewhart", "CUSUM 0.5", "EWMA 0.1", "ours, one channel", "ours, three channels"} <= set(charts)
    for name, row in charts.items():
        assert name[:20] in printed
        assert 0.02 < row["false alarms"] < 0.25, name
        for onset in (28, 70):
            assert row[f"d{onset} +2 ≤14"] >= row[f"d{onset} +1 ≤14"], name
            assert row[f"d{onset} +1 ≤28"] >= row[f"d{onset} +1 ≤14"], name
    one, three, oracle = (charts[f"{name}"]["d70 +1 ≤28"] for name in (
        "ours, one channel", "ours, three channels", "oracle: EWMA 0.1 of 3 channels, known",
    ))  # fmt: skip
    assert one < three <= oracle + 0.1
    cohorts = {(row["cohort"], row["chart"]) for row in written["cohorts"]}
    assert {("as usual", "ours, 1 ch."), ("as usual", "ours, 3 ch."), ("as usual", "EWMA 0.1")} <= cohorts


@pytest.mark.slow
def test_the_bench_of_a_night_measures_maths_age_river_and_the_warehouse(tmp_path: Path) -> None:
    printed, written = run(tmp_path, "monitor")

    rows = {row["what"]: row for row in written["rows"]}
    assert any("stage with warehouse, 2,000 patients, 1,400 journals" in what for what in rows)
    assert any("KSWIN" in what for what in rows)
    assert all(row["µs a patient"] > 0 for row in rows.values())
    assert written["ratios"]["river's detectors against ours"] > 20
    assert "One night" in printed


@pytest.mark.slow
def test_the_bench_on_voices_runs_the_whole_pipeline(tmp_path: Path) -> None:
    printed, written = run(tmp_path, "cohort")

    assert written["patients"] == 2
    assert written["onsets"] <= written["patients judged"] <= 2
    assert 0 <= written["false alarms per patient 90 d"] < 20
    assert set(written) >= {"voices", "days", "seed", "found ≤14 d", "found ≤28 d", "steady patients alarmed"}
    assert "each a speaker of the corpus" in " ".join(printed.split())
