"""Made-up journals for tests: known cohorts, known changes."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from functools import lru_cache

import numpy as np

from affect_pipeline.monitoring.calibration import Limits
from affect_pipeline.monitoring.channels import VOICE
from affect_pipeline.monitoring.engine import Engine
from affect_pipeline.monitoring.journals import Journals
from affect_pipeline.monitoring.output import Output
from affect_pipeline.monitoring.profile import Profile, default_profile
from affect_pipeline.monitoring.rules import Rules
from affect_pipeline.monitoring.simulation import in_control
from affect_pipeline.monitoring.sources import MemorySource

DAY_0 = 20_000
"""First day, counted from 1970-01-01: 4 October 2024, a Friday."""

RULES = Rules()
SIGNS = np.array([channel.sign for channel in VOICE], dtype=float)
MODEL = "a" * 64
LIMITS = {"worsening": 7.0, "improving": 9.0, "spread": 1.2, "adherence": 8.0}
"""Limits of the order that calibration finds; tests of calibration are elsewhere."""


def key(n: int) -> bytes:
    """Return the n-th patient key."""
    return hashlib.sha256(f"patient {n}".encode()).hexdigest()[:32].encode()


def steady(n_patients: int, n_days: int, seed: int = 1, missing: float = 0.25) -> np.ndarray:
    """Return values (n_patients, n_days, 7) of a cohort in which nothing changes."""
    profile = replace(default_profile(len(VOICE)), missing=missing, missing_sd=0.05 if missing else 0.0)
    return in_control(profile, n_patients, n_days, seed)[0]


def journals(values: np.ndarray, first: int = 0, device: str = "phone") -> Journals:
    """Return one journal for each day that has a value, arriving on the night of its day."""
    patient, day = np.nonzero(np.isfinite(values).any(axis=2))
    return rows(patient + first, DAY_0 + day, values[patient, day], device=device)


def rows(
    patient: np.ndarray,
    day: np.ndarray,
    values: np.ndarray,
    night: np.ndarray | None = None,
    device: str = "phone",
    accepted: bool = True,
    salt: str = "",
) -> Journals:
    """Return journals from arrays."""
    names = [f"{salt}{p}/{d}/{i}" for i, (p, d) in enumerate(zip(patient, day, strict=True))]
    ids = np.array([hashlib.sha256(name.encode()).hexdigest() for name in names], "S64")
    n = len(ids)
    return Journals(
        ids, np.array([key(int(p)) for p in patient], "S32"), np.asarray(day if night is None else night, np.int32),
        np.asarray(day, np.int32), np.full(n, device), np.full(n, accepted), np.asarray(values, float),
        np.full((n, len(VOICE)), np.nan),
    )  # fmt: skip


def engine(rules: Rules = RULES, profiles: dict[int, Profile] | None = None) -> Engine:
    """Return a new engine whose limits are given, so that no test waits for a calibration."""
    made = Engine.new(rules, MODEL)
    made.charts.profiles = profiles if profiles is not None else {0: fixed_profile()}
    made.charts.fixed = profiles is None
    made.charts._limits = _GivenLimits()
    return made


@lru_cache(maxsize=1)
def fixed_profile() -> Profile:
    return default_profile(len(VOICE))


class _GivenLimits(dict[int, dict[str, Limits]]):
    def __contains__(self, night: object) -> bool:
        return True

    def __missing__(self, night: int) -> dict[str, Limits]:
        return {name: Limits(np.full(120, value)) for name, value in LIMITS.items()}


def run(made: Engine, source: MemorySource | Journals, n_nights: int, first: int = 0) -> list[Output]:
    """Run nights in order and return what they left."""
    source = source if isinstance(source, MemorySource) else MemorySource(source)
    return [made.run_night(DAY_0 + night, source) for night in range(first, n_nights)]


def events(outputs: list[Output], kind: str | None = None) -> list[tuple[int, str, str]]:
    """Return (night, what, kind of alert) of every event."""
    kinds = {alert["alert_id"]: alert["kind"] for output in outputs for alert in output.alerts.values()}
    found = [
        (output.night - DAY_0, event["kind"], kinds[event["alert_id"]]) for output in outputs for event in output.events
    ]
    return [event for event in found if kind is None or event[2] == kind]


def worse(values: np.ndarray, patient: int, first: int, last: int | None, sds: float) -> np.ndarray:
    """Return a copy in which one patient is worse, in every channel, on some days."""
    changed = values.copy()
    changed[patient, first:last] += sds * SIGNS
    return changed
