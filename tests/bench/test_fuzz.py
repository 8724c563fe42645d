"""A small run of the fuzzer, the same each time."""

from __future__ import annotations

from pathlib import Path

import pytest

from affect_pipeline.bench import fuzz


@pytest.fixture(scope="module")
def recordings() -> fuzz.Corpus:
    return fuzz.corpus(seconds=0.5)


def test_hostile_files_break_nothing_and_no_good_recording_is_lost(tmp_path: Path, recordings: fuzz.Corpus) -> None:
    report = fuzz.run(400, 3, tmp_path, recordings)

    assert report.unexpected == []
    assert (report.n_good, report.n_good_lost) == (20, 0)
    assert set(fuzz.MUTATIONS) | {"link", "none"} <= set(report.outcomes)
    assert report.outcomes["image"].keys() == {"not_audio"}
    assert sum(counts["decoded"] for counts in report.outcomes.values()) > 50
    assert report.slowest_s < fuzz.LIMITS.timeout_s
    assert report.decoder_memory_mib < fuzz.LIMITS.max_memory_bytes / 2**20


def test_the_same_seed_gives_the_same_outcomes(tmp_path: Path, recordings: fuzz.Corpus) -> None:
    one, other = (fuzz.run(60, 5, tmp_path / name, recordings) for name in ("one", "other"))

    assert one.rows() == other.rows()
