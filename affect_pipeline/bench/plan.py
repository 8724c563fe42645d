"""A worked plan for a large service, from what a night was measured to cost and from assumptions that are stated.

The plan is arithmetic: change an assumption, and the command prints another.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from affect_pipeline.files import read_json

STAGES = ("collect", "measure", "validate", "score", "monitor", "publish")
SHARDED = ("measure", "score")
SECONDS_AN_HOUR = 3600.0
NIGHTS_A_YEAR = 365
WAV_BYTES_A_S = 32_000


@dataclass(frozen=True)
class Assumptions:
    """What the plan takes for granted.

    Parameters
    ----------
    patients : int
        Patients of the service.
    recorded_share : float
        Share of them that record on one day.
    journal_s : float
        Mean length of a journal, in seconds.
    window_h : float
        Hours that a night may take.
    busy_share : float
        Share of the window in which workers do stage work; the rest is for stragglers, retries and late starts.
    gpu_in_cores : float
        How many cores of the measured machine one GPU scores as fast as. Not measured here.
    core_price_h, gpu_price_h : float
        Price of a core and of a GPU for an hour, in US dollars.
    storage_price_gb_month : float
        Price of a gigabyte of database storage for a month, in US dollars.
    keep_audio_days : int
        Days that recordings are kept.
    object_price_gb_month : float
        Price of a gigabyte of object storage for a month, in US dollars.
    """

    patients: int = 1_000_000
    recorded_share: float = 0.7
    journal_s: float = 30.0
    window_h: float = 4.0
    busy_share: float = 0.7
    gpu_in_cores: float = 40.0
    core_price_h: float = 0.05
    gpu_price_h: float = 1.0
    storage_price_gb_month: float = 0.12
    keep_audio_days: int = 30
    object_price_gb_month: float = 0.023


def costs(nights: Sequence[Mapping[str, Any]], cores: int) -> dict[str, float]:
    """Return the core-seconds of each stage: for a second of audio where it is sharded, else for a further journal.

    What a stage that runs once takes whatever the night holds (imports, pages, connections) is left out, by taking
    the difference between two sizes; it is zero where that is lost in noise.

    Parameters
    ----------
    nights : Sequence of Mapping
        The rows of ``affect bench night``: a small night, and a larger one.
    cores : int
        Cores of the machine; sharded stages used all of them.
    """
    small, large = nights[0], nights[-1]
    audio_s = large["times_real_time"] * large["total_s"]
    more = max(large["n_journals"] - small["n_journals"], 1)
    return {
        stage: large[f"{stage}_s"] * cores / audio_s
        if stage in SHARDED
        else max(large[f"{stage}_s"] - small[f"{stage}_s"], 0.0) / more
        for stage in STAGES
    }


def plan(measured: Mapping[str, Any], given: Assumptions) -> list[tuple[str, str]]:
    """Return the plan as lines of a table: what, and how much."""
    night = measured["rows"][-1]
    cost = costs(measured["rows"], measured["machine"]["cores"])
    journals = given.patients * given.recorded_share
    audio_s = journals * given.journal_s
    core_h = {stage: cost[stage] * (audio_s if stage in SHARDED else journals) / SECONDS_AN_HOUR for stage in STAGES}
    busy_h = given.window_h * given.busy_share
    single_h = sum(hours for stage, hours in core_h.items() if stage not in SHARDED)
    left_h = busy_h - single_h
    gpu_h = core_h["score"] / given.gpu_in_cores
    grown_gb = night["warehouse_bytes_a_journal"] * journals * NIGHTS_A_YEAR / 1e9
    audio_gb = audio_s * WAV_BYTES_A_S * given.keep_audio_days / 1e9
    cores_needed = math.ceil((core_h["measure"] + core_h["score"]) / left_h) if left_h > 0 else 0
    compute = NIGHTS_A_YEAR * given.core_price_h * sum(core_h.values()) / given.busy_share
    with_gpus = compute + NIGHTS_A_YEAR / given.busy_share * (
        given.gpu_price_h * gpu_h - given.core_price_h * core_h["score"]
    )
    return [
        ("journals a night", f"{journals:,.0f}"),
        ("audio a night", f"{audio_s / SECONDS_AN_HOUR:,.0f} h"),
        *((f"{stage}, core-hours a night", f"{core_h[stage]:,.1f}") for stage in STAGES),
        ("stages that run once, one after another", f"{single_h:,.2f} h of the {busy_h:.1f} h"),
        ("cores for measure and score, all on CPU", f"{cores_needed:,}" if left_h > 0 else "the window is too short"),
        ("cores for measure, if GPUs score", f"{math.ceil(core_h['measure'] / left_h):,}" if left_h > 0 else "–"),
        ("GPUs for score (assumed speed)", f"{math.ceil(gpu_h / left_h):,}" if left_h > 0 else "–"),
        ("warehouse growth a year", f"{grown_gb:,.0f} GB"),
        (f"recordings kept for {given.keep_audio_days} days, as WAV", f"{audio_gb:,.0f} GB"),
        ("compute a year, all on CPU", f"${compute:,.0f}"),
        ("compute a year, GPUs score (assumed speed)", f"${with_gpus:,.0f}"),
        ("warehouse storage a year, after the first", f"${12 * given.storage_price_gb_month * grown_gb:,.0f}"),
        ("recordings' storage a year", f"${12 * given.object_price_gb_month * audio_gb:,.0f}"),
    ]


def assumed(given: Assumptions) -> list[tuple[str, str]]:
    """Return the assumptions as lines of a table."""
    return [
        ("patients", f"{given.patients:,}"),
        ("share that records on one day", f"{given.recorded_share:.0%}"),
        ("mean length of a journal", f"{given.journal_s:.0f} s"),
        ("hours that a night may take", f"{given.window_h:g}"),
        ("share of them in which workers are busy", f"{given.busy_share:.0%}"),
        ("a GPU scores as fast as (not measured)", f"{given.gpu_in_cores:.0f} cores"),
        ("a core for an hour", f"${given.core_price_h:g}"),
        ("a GPU for an hour", f"${given.gpu_price_h:g}"),
        ("a GB of database storage for a month", f"${given.storage_price_gb_month:g}"),
        ("a GB of object storage for a month", f"${given.object_price_gb_month:g}"),
    ]


def section(folder: Path, given: Assumptions) -> str:
    """Return costs, assumptions and plan as Markdown, from ``night.json`` in a folder."""
    measured = read_json(folder / "night.json")
    night, cores = measured["rows"][-1], measured["machine"]["cores"]
    cost = costs(measured["rows"], cores)
    per = {stage: "second of audio" if stage in SHARDED else "further journal" for stage in STAGES}
    measured_rows = [(f"{stage}, core-ms for a {per[stage]}", f"{1000 * cost[stage]:.2f}") for stage in STAGES]
    measured_rows += [
        ("peak memory of one process with PostgreSQL", f"{night['peak_gib']:.2f} GiB"),
        ("warehouse, for a journal", f"{night['warehouse_bytes_a_journal'] / 1000:.1f} kB"),
    ]
    size = f"a night of {night['n_journals']:,} journals of 20 s on {cores} cores ({measured['machine']['processor']})"
    tables = (
        (f"Measured: {size}", measured_rows), ("Assumed", assumed(given)), ("The plan", plan(measured, given))
    )  # fmt: skip
    return "\n".join(_markdown(title, rows) for title, rows in tables)


def _markdown(title: str, rows: list[tuple[str, str]]) -> str:
    lines = "\n".join(f"| {what} | {value} |" for what, value in rows)
    return f"**{title}**\n\n| what | value |\n|---|---:|\n{lines}\n"
