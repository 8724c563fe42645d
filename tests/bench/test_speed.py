"""The benchmarks of speed run, and say what they are asked; how fast this machine is, is not asked here."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from affect_pipeline.bench.recordings import RATE_HZ, Recorder, lengths_s
from affect_pipeline.cli import build
from affect_pipeline.files import read_json


def run(name: str, folder: Path) -> dict[str, Any]:
    path = folder / f"{name}.json"
    done = CliRunner().invoke(build(), ["bench", name, "--quick", "--seed", "3", "--json", str(path)])
    assert done.exit_code == 0, done.output
    found: dict[str, Any] = read_json(path)
    assert found["benchmark"] == name
    assert found["seed"] == 3
    assert found["machine"]["cores"] == len(os.sched_getaffinity(0))
    return found


def test_made_up_journals_are_a_function_of_their_number_and_have_the_length_asked_for() -> None:
    first, again, other = Recorder(1).journal(3, 2.5), Recorder(1).journal(3, 2.5), Recorder(2).journal(3, 2.5)

    assert first.size == 2.5 * RATE_HZ
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_lengths_have_one_mean_whatever_the_seed() -> None:
    assert np.mean(lengths_s(50, 5, 60, 1)) == pytest.approx(np.mean(lengths_s(50, 5, 60, 2)))
    assert lengths_s(50, 5, 60, 1) != lengths_s(50, 5, 60, 2)


def test_scoring_is_compared_with_the_pipeline_on_the_same_journals(tmp_path: Path) -> None:
    found = run("score", tmp_path)

    assert [row["how"] for row in found["rows"]] == [
        "pipeline, batch 1", "pipeline, batch 8", "scorer, float32", "scorer, bfloat16",
    ]  # fmt: skip
    assert len({row["audio_s"] for row in found["rows"]}) == 1
    unbatched, batched = (row["seconds"] for row in found["rows"][:2])
    for row in found["rows"][2:]:
        assert row["times_batched"] == pytest.approx(batched / row["seconds"])
        assert row["times_unbatched"] == pytest.approx(unbatched / row["seconds"])
        assert row["share_of_peak"] > 0


def test_measuring_is_compared_with_librosa_and_opensmile(tmp_path: Path) -> None:
    ours, *references = run("measure", tmp_path)["rows"]

    assert ["librosa" in row["what"] for row in references] == [True, True, True, False]
    for row in references:
        if row["core_s"] is None:
            assert "not installed" in row["what"]
        else:
            assert row["times_faster_here"] == pytest.approx(row["cost_per_audio_s"] / ours["cost_per_audio_s"])


@pytest.mark.slow
def test_a_night_reports_each_stage_and_its_memory(tmp_path: Path) -> None:
    (row,) = run("night", tmp_path)["rows"]

    assert row["n_scored"] == row["n_journals"]
    assert row["total_s"] == pytest.approx(sum(value for name, value in row.items() if name.endswith("_s")) / 2)
    assert 0.1 < row["peak_gib"] < 4.0


@pytest.mark.slow
def test_bulk_work_is_compared_with_copy(tmp_path: Path) -> None:
    copy, new, _, suite = run("warehouse", tmp_path)["rows"]

    assert new["times_reference"] == pytest.approx(new["seconds"] / copy["seconds"])
    assert suite["n_rows"] == 500
