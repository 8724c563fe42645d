"""What was compiled ahead is what the first night calls."""

from __future__ import annotations

import numpy as np

from affect_pipeline.compile_ahead import compile_ahead
from affect_pipeline.monitoring.charts import _likelihood_ratio_kernel as kernel
from affect_pipeline.monitoring.chartset import ChartSet
from affect_pipeline.monitoring.profile import default_profile


def signatures() -> dict[str, int]:
    compiled = {name: getattr(kernel, name) for name in ("step", "describe", "freeze", "thaw")}
    return {name: len(function.signatures) for name, function in compiled.items()}


def test_charts_of_several_channels_need_no_further_compilation() -> None:
    compile_ahead()
    before = signatures()
    assert min(before.values()) > 0

    charts = ChartSet(default_profile(3), np.ones(3))
    values = np.random.default_rng(1).normal(0, 1, (20, 40, 3))
    charts.paths(values, np.zeros(20, np.int32), baseline_days=28)

    assert signatures() == before
