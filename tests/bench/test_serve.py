"""The load test itself: what it returns, not how fast this machine is."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest
from typer.testing import CliRunner

from affect_pipeline.cli import build
from affect_pipeline.model.encoder import tiny_encoder

pytestmark = pytest.mark.slow


def test_the_load_test_measures_every_figure_of_a_started_service(tmp_path: Path) -> None:
    tiny_encoder().save(tmp_path / "model")
    out = tmp_path / "serve.json"

    done = CliRunner().invoke(
        build(), ["bench", "serve", "--quick", "--model-dir", str(tmp_path / "model"), "--json", str(out)]
    )

    assert done.exit_code == 0, done.output
    result = json.loads(out.read_text())
    figures = {figure["what"]: figure for figure in result["figures"]}
    assert len(figures) == len(result["figures"]) >= 14
    assert all(math.isfinite(figure["value"]) and figure["unit"] for figure in figures.values())
    targets = {what: figure["target"] for what, figure in figures.items() if figure["target"]}
    assert {"trend page, p95": 0.1, "alert list page, p95": 0.15, "10 idle streams": 200.0}.items() <= targets.items()
    assert sum("share of" in what for what in targets) >= 1
    assert result["load"]["n_patients"] == 60
