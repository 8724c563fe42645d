"""A whole night in one process: time of each stage, and memory, at two sizes.

Each size runs in a child process of its own. Memory is that of the child and of the PostgreSQL server together,
sampled from outside (proportional set size: what processes share is counted once).
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import psutil

from affect_pipeline.bench.recordings import RATE_HZ, Recorder
from affect_pipeline.settings import Settings

NIGHT = date(2026, 1, 5)
JOURNAL_S = 20.0
N_VOICES = 96
"""Recordings that are made; journals are these, each turned in time and in level by its own amount."""

SAMPLED_EVERY_S = 0.5


@dataclass(frozen=True)
class Row:
    """One night.

    Parameters
    ----------
    n_journals, n_shards : int
        Journals of 20 s, and shards.
    n_scored : int
        Journals that passed their quality checks and were scored.
    collect_s, measure_s, validate_s, score_s, monitor_s, publish_s : float
        Time of each stage, without imports.
    total_s : float
        Their sum.
    times_real_time : float
        Audio against that.
    peak_gib : float
        Largest memory of the pipeline and PostgreSQL together.
    warehouse_bytes_a_journal : float
        What the warehouse grew by.
    """

    n_journals: int
    n_shards: int
    n_scored: int
    collect_s: float
    measure_s: float
    validate_s: float
    score_s: float
    monitor_s: float
    publish_s: float
    total_s: float
    times_real_time: float
    peak_gib: float
    warehouse_bytes_a_journal: float


def deliver(
    settings: Settings, n: int, seed: int, *, night: date = NIGHT, seconds: float = JOURNAL_S, n_voices: int = N_VOICES
) -> None:
    """Write a night of `n` journals, one a patient, into a local landing zone."""
    import soundfile

    recorder = Recorder(seed)
    voices = [recorder.journal(number, seconds) for number in range(min(n, n_voices))]
    rng = np.random.default_rng(seed)
    recorded = datetime.combine(night, time(20, 0), UTC) - timedelta(days=1)
    sidecar = json.dumps({"recorded_at": recorded.isoformat(), "time_zone": "UTC", "consent": True, "clinic": "north"})
    for number in range(n):
        voice = np.roll(voices[number % len(voices)], int(rng.integers(round(seconds * RATE_HZ))))
        folder = Path(settings.landing) / night.isoformat() / f"patient-{number:06d}"
        folder.mkdir(parents=True)
        (folder / "evening.json").write_text(sidecar)
        soundfile.write(folder / "evening.wav", voice * np.float32(rng.uniform(0.5, 1.0)), RATE_HZ, subtype="PCM_16")


def run(
    home: Path, n: int, seed: int, *, seconds: float = JOURNAL_S, model: Path | None = None,
    say: Callable[[str], None] = lambda _: None, cut: Mapping[str, int] | None = None,
    apart: bool = True,
) -> Row:  # fmt: skip
    """Deliver a night, run it, and return what it took.

    Parameters
    ----------
    home : Path
        An empty folder.
    n : int
        Journals.
    seed : int
        Draws them.
    seconds : float
        Length of each.
    model : Path, optional
        Model folder; by default the packaged one.
    say : callable
        Told what is being done.
    cut : Mapping[str, int], optional
        Settings of the installation that are not the usual ones, such as those of shards.
    apart : bool
        Whether the night runs in a child process; else in this one, whose memory holds what was done before.
    """
    settings = night_settings(home)
    say(f"recording {n:,} journals")
    deliver(settings, n, seed, seconds=seconds)
    say(f"running the night of {n:,} journals")
    found, peak_gib = _apart(home, model, settings, cut or {}) if apart else _here(home, model, settings)
    times = {f"{stage}_s": seconds for stage, seconds in found["stages"].items()}
    total = sum(times.values())
    return Row(
        n_journals=n,
        n_shards=found["n_shards"],
        n_scored=found["n_scored"],
        **times,
        total_s=total,
        times_real_time=n * seconds / total,
        peak_gib=peak_gib,
        warehouse_bytes_a_journal=found["warehouse_bytes"] / n,
    )


def _apart(home: Path, model: Path | None, settings: Settings, cut: Mapping[str, int]) -> tuple[dict[str, Any], float]:
    command = [sys.executable, "-m", "affect_pipeline.bench.night_child", str(home), str(model or "")]
    environment = os.environ | {f"AFFECT_{name.upper()}": str(value) for name, value in cut.items()}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as child:
        peak = _Peak(child.pid, settings)
        output, _ = child.communicate()
        peak_gib = peak.stop()
    if child.returncode:
        raise subprocess.CalledProcessError(child.returncode, command)
    return dict(json.loads(output.splitlines()[-1])), peak_gib


def _here(home: Path, model: Path | None, settings: Settings) -> tuple[dict[str, Any], float]:
    from affect_pipeline.bench.night_child import run_night

    peak = _Peak(os.getpid(), settings)
    try:
        return run_night(home, model), peak.stop()
    finally:
        peak.stop()


def night_settings(home: Path) -> Settings:
    """Return the settings of a night in a folder of its own; shards may be set by the environment."""
    return Settings(home=home, landing_url="", warehouse_url="", mlflow_uri="", pseudonym_secret_file=None)


class _Peak:
    """Samples the memory of a process and of an embedded server until it is stopped."""

    def __init__(self, pid: int, settings: Settings) -> None:
        self._pid, self._pid_file = pid, settings.postgres_dir / "postmaster.pid"
        self._largest, self._over = 0, threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def stop(self) -> float:
        """Stop, and return the largest sum in GiB."""
        self._over.set()
        self._thread.join()
        return self._largest / 2**30

    def _watch(self) -> None:
        while not self._over.wait(SAMPLED_EVERY_S):
            self._largest = max(self._largest, sum(_proportional(root) for root in self._roots()))

    def _roots(self) -> list[int]:
        with suppress(OSError, ValueError, IndexError):
            return [self._pid, int(self._pid_file.read_text().split()[0])]
        return [self._pid]


def _proportional(pid: int) -> int:
    """Return the proportional set size of a process and its descendants, in bytes."""
    total = 0
    with suppress(psutil.Error):
        root = psutil.Process(pid)
        for process in [root, *root.children(recursive=True)]:
            with suppress(psutil.Error):
                total += int(process.memory_full_info().pss)
    return total
