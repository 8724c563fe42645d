from __future__ import annotations

import io
import math
import os
import shutil
import struct
import subprocess
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from affect_pipeline.files import mapped_arrow, read_parquet
from affect_pipeline.journals.identity import refused_id
from affect_pipeline.journals.manifest import ManifestRow, manifest_path, write_manifest
from affect_pipeline.journals.store import RawStore
from affect_pipeline.nights import Nights
from affect_pipeline.settings import Settings
from affect_pipeline.stages.measure import (
    MeasureResult,
    measure,
    measure_path,
    prepared_path,
    threads_of,
    value_columns,
)
from tests.audio import Voice, encode, speech

NIGHT = Nights.parse("2026-01-05")
VOICE = speech(Voice(duration_s=5.0, pauses=((0.0, 0.6), (2.5, 0.7))))


def claiming_hours(hours: int) -> bytes:
    """Return a FLAC file whose header says that it is that long."""
    audio = bytearray(encode(VOICE, kind="FLAC"))
    n_samples = hours * 3600 * 16_000
    audio[21] = audio[21] & 0xF0 | n_samples >> 32
    audio[22:26] = (n_samples & 0xFFFF_FFFF).to_bytes(4, "big")
    return bytes(audio)


def with_nan(samples: np.ndarray) -> bytes:
    broken = samples.astype(np.float32).copy()
    broken[len(broken) // 2] = np.nan
    return encode(broken, subtype="FLOAT")


def row(settings: Settings, audio: bytes, **changes: object) -> ManifestRow:
    stored = RawStore(settings.raw_dir).put(io.BytesIO(audio), settings.max_journal_bytes)
    described = {
        "delivery_key": stored.journal_id[:32],
        "night": NIGHT.first,
        "journal_id": stored.journal_id,
        "patient_key": "0" * 32,
        "local_day": NIGHT.first,
        "in_store": True,
        "shard": 0,
    }
    return ManifestRow(**(described | changes))  # type: ignore[arg-type]


def run(settings: Settings, *rows: ManifestRow) -> tuple[MeasureResult, dict[str, dict[str, object]]]:
    write_manifest(rows, manifest_path(settings, NIGHT), n_shards=1)
    result = measure(settings, NIGHT, 0)
    table = read_parquet(measure_path(settings, NIGHT, 0))
    return result, {item["journal_id"]: item for item in table.to_pylist()}


def prepared(settings: Settings) -> dict[str, np.ndarray]:
    with mapped_arrow(prepared_path(settings, NIGHT, 0)) as reader:
        table = reader.read_all()
    return {item["journal_id"]: np.array(item["audio"], np.int16) for item in table.to_pylist()}


def test_a_good_journal_gets_all_values_and_prepared_audio(settings: Settings) -> None:
    good = row(settings, encode(VOICE))
    result, measured = run(settings, good)
    assert result == MeasureResult(n_measured=1, n_problems=0)
    values = measured[good.journal_id]
    assert all(math.isfinite(values[name]) for name in value_columns())  # type: ignore[arg-type]
    assert values["duration_s"] == pytest.approx(5.0)
    audio = prepared(settings)[good.journal_id]
    assert 3.5 * 16_000 < audio.size < 4.7 * 16_000
    with mapped_arrow(prepared_path(settings, NIGHT, 0)) as reader:
        assert reader.schema.field("audio").type.value_type == pa.int16()


@pytest.mark.parametrize(
    ("audio", "problem"),
    [
        (encode(VOICE)[:60_000], "truncated"),
        (encode(VOICE, kind="FLAC")[:40_000], "decode_failed"),
        (encode(VOICE, kind="OGG", subtype="OPUS")[:9_000], "truncated"),
        (encode(VOICE, kind="OGG", subtype="VORBIS")[:15_000], "truncated"),
        (encode(VOICE)[:44], "truncated"),
        (encode(VOICE[:0]), "decode_failed"),
        (b"RIFF" + struct.pack("<I", 4) + b"WAVE", "decode_failed"),
        (with_nan(VOICE), "non_finite_samples"),
        (claiming_hours(10), "too_long"),
        (b"\x89PNG\r\n\x1a\n" + bytes(500), "not_audio"),
    ],
    ids=["wav", "flac", "opus", "vorbis", "header-only", "no-samples", "no-chunks", "nan", "ten-hours", "image"],
)
def test_a_bad_recording_gets_a_reason_and_the_others_are_measured(
    settings: Settings, audio: bytes, problem: str
) -> None:
    bad, good = row(settings, audio), row(settings, encode(VOICE))
    result, measured = run(settings, bad, good)
    assert result == MeasureResult(n_measured=1, n_problems=1)
    assert measured[bad.journal_id]["problem"] == problem
    assert measured[bad.journal_id]["problem_detail"]
    assert all(math.isnan(measured[bad.journal_id][name]) for name in value_columns())  # type: ignore[arg-type]
    assert measured[good.journal_id]["problem"] is None
    assert list(prepared(settings)) == [good.journal_id]


@pytest.mark.parametrize("kind", ["WAV", "FLAC", "OGG", "MP3"])
def test_a_recording_over_the_limit_is_too_long_in_every_format(settings: Settings, kind: str) -> None:
    short = settings.model_copy(update={"max_journal_s": 4.0})
    _, measured = run(short, row(short, encode(VOICE, kind=kind)))
    assert [values["problem"] for values in measured.values()] == ["too_long"]


def test_m4a_and_webm_wait_for_a_decoder_where_there_is_none(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    box = b"\x00\x00\x00\x18ftypM4A \x00\x00\x00\x00M4A mp42"
    _, measured = run(settings, row(settings, box))
    (values,) = measured.values()
    assert values["problem"] == "no_decoder"


@pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="needs ffmpeg on PATH")
@pytest.mark.parametrize(("suffix", "codec"), [("m4a", "aac"), ("webm", "libopus")])
def test_m4a_and_webm_are_decoded_by_ffmpeg(settings: Settings, tmp_path: Path, suffix: str, codec: str) -> None:
    source, target = tmp_path / "a.wav", tmp_path / f"a.{suffix}"
    source.write_bytes(encode(VOICE))
    subprocess.run(
        ["ffmpeg", "-loglevel", "error", "-i", str(source), "-c:a", codec, "-strict", "-2", str(target)], check=True
    )
    good = row(settings, target.read_bytes())
    cut = row(settings, target.read_bytes()[:-2000])
    _, measured = run(settings, good, cut)
    assert measured[good.journal_id]["problem"] is None
    assert measured[good.journal_id]["duration_s"] == pytest.approx(5.0, abs=0.1)
    assert measured[cut.journal_id]["problem"] in ("truncated", "decode_failed")


def test_a_journal_with_a_problem_is_not_analysed_until_a_person_releases_it(settings: Settings) -> None:
    waiting = row(settings, encode(VOICE), problem="sidecar_missing", problem_detail="no JSON")
    _, measured = run(settings, waiting)
    assert measured[waiting.journal_id]["problem"] == "sidecar_missing"
    assert prepared(settings) == {}
    released = row(settings, encode(VOICE), problem="sidecar_missing", released=True)
    _, measured = run(settings, released)
    assert measured[released.journal_id]["problem"] is None
    assert list(prepared(settings)) == [released.journal_id]


def test_a_delivery_that_was_never_taken_in_keeps_its_reason(settings: Settings) -> None:
    refused = ManifestRow(
        "a" * 32, NIGHT.first, refused_id("a" * 32), "0" * 32, NIGHT.first, problem="empty_file", shard=0
    )
    _, measured = run(settings, refused)
    assert measured[refused.journal_id]["problem"] == "empty_file"


def test_an_empty_shard_has_empty_files(settings: Settings) -> None:
    result, measured = run(settings)
    assert (result, measured, prepared(settings)) == (MeasureResult(0, 0), {}, {})


def test_the_files_are_the_same_bytes_whatever_the_number_of_threads(settings: Settings) -> None:
    rows = [row(settings, encode(speech(Voice(duration_s=3.0, seed=seed)))) for seed in range(5)]
    written = []
    for threads in (1, 3):
        run(settings.model_copy(update={"threads": threads}), *rows)
        paths = measure_path(settings, NIGHT, 0), prepared_path(settings, NIGHT, 0)
        written.append([path.read_bytes() for path in paths])
    assert written[0] == written[1]


def test_tasks_that_share_a_machine_share_its_cores(settings: Settings) -> None:
    cores = len(os.sched_getaffinity(0))

    assert threads_of(settings, 16) == cores
    assert threads_of(settings.model_copy(update={"tasks_at_once": cores}), 16) == 1
    assert threads_of(settings.model_copy(update={"tasks_at_once": cores}), 1) == cores, "the only task has them all"
    assert threads_of(settings.model_copy(update={"tasks_at_once": 10 * cores}), 1000) == 1
    assert threads_of(settings.model_copy(update={"threads": 3, "tasks_at_once": cores}), 16) == 3
