from __future__ import annotations

import time
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from affect_pipeline.quality.contract import LINES, NO_PROBLEM, Expected, metrics, suite_version
from affect_pipeline.quality.suite import DocsTarget, run_suite

GOOD = {
    "problem": None,
    "speech_s": 15.0,
    "snr_db": 30.0,
    "clipping_ratio": 0.0,
    "silence_ratio": 0.2,
    "level_dbfs": -25.0,
    "bandwidth_hz": 8000.0,
    "dc_offset": 0.0,
}


def night(*changes: dict[str, object]) -> pd.DataFrame:
    """Return measurements of journals j0, j1, ...: good ones with these changes."""
    rows = [GOOD | change | {"journal_id": f"j{index}"} for index, change in enumerate(changes)]
    return pd.DataFrame(rows).astype({"problem": object})


def broken(*changes: dict[str, object]) -> dict[str, frozenset[str]]:
    return {name: ids for name, ids in run_suite(night(*changes)).broken_by.items() if ids}


def test_good_journals_break_nothing() -> None:
    assert broken({}, {}) == {}


@pytest.mark.parametrize("line", [line for line in LINES if line.name != NO_PROBLEM], ids=lambda line: line.name)
def test_each_line_is_kept_at_its_bound_and_broken_just_past_it(line: Expected) -> None:
    below = {} if line.minimum is None else {line.metric: np.nextafter(line.minimum, -np.inf)}
    above = {} if line.maximum is None else {line.metric: np.nextafter(line.maximum, np.inf)}
    at = {line.metric: line.minimum if line.minimum is not None else line.maximum}
    found = broken(at, below, above).get(line.name, frozenset())
    assert found == {name for name, change in (("j1", below), ("j2", above)) if change}


def test_a_problem_breaks_the_first_line_and_undefined_values_break_none() -> None:
    undefined = dict.fromkeys([name for name in metrics() if name != "problem"], float("nan"))
    assert broken({}, undefined | {"problem": "truncated"}) == {NO_PROBLEM: {"j1"}}


def test_the_version_follows_the_thresholds() -> None:
    changed = (Expected("snr_at_least_12_db", "snr_db", "fail", 13.0), *LINES[1:])
    assert suite_version() == suite_version(LINES)
    assert suite_version(changed) != suite_version()


def test_data_docs_are_written_and_an_older_site_is_replaced(tmp_path: Path) -> None:
    target = DocsTarget(tmp_path / "docs" / "2026-01-05", "2026-01-05", date(2026, 1, 5))
    run_suite(night({}), target)
    (target.folder / "stale.html").write_text("old")
    run_suite(night({"snr_db": 3.0}), target)
    pages = sorted(path.name for path in target.folder.rglob("*.html"))
    assert "index.html" in pages
    assert "stale.html" not in pages
    text = "".join(path.read_text() for path in target.folder.rglob("validations/**/*.html"))
    assert "snr_db" in text
    assert "j0" in text
    assert [path.name for path in target.folder.parent.iterdir()] == ["2026-01-05"]


@pytest.mark.parametrize("share_bad", [0.05, 1.0])
def test_a_hundred_thousand_journals_take_seconds(share_bad: float) -> None:
    n_journals = 100_000
    generator = np.random.default_rng(0)
    bad = generator.random(n_journals) < share_bad
    frame = pd.DataFrame({name: [value] * n_journals for name, value in GOOD.items()}).astype({"problem": object})
    frame["journal_id"] = [f"{index:064x}" for index in range(n_journals)]
    frame["snr_db"] = np.where(bad, 5.0, 30.0)
    started = time.process_time()
    result = run_suite(frame)
    assert time.process_time() - started < 6.0
    assert result.broken_by["snr_at_least_12_db"] == set(frame["journal_id"][bad])
