"""A made-up warehouse of any size, for load tests, screenshots and tests of the web service.

Nothing was recorded or listened to: rows are made in SQL (``sql/bench``), each a function of the
patient's number, the day and the seed. One patient in six has too little data; some change in the
last three weeks and have an open alert.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta

import sqlalchemy as sa

from affect_pipeline.monitoring.channels import ADHERENCE
from affect_pipeline.nights import Nights
from affect_pipeline.warehouse.derive import derive_nights
from affect_pipeline.warehouse.load import ensure_months
from affect_pipeline.warehouse.queries import sql

MODEL_DIGEST = "b" * 64
"""Digest of the model that the made-up scores belong to."""

CURVES: dict[str, tuple[float, float]] = {
    "depression": (-1.2, 1.0),
    "valence": (0.2, -0.2),
    "arousal": (0.1, -0.1),
    "pitch_variability": (2.6, -0.4),
    "speech_rate": (4.2, -0.3),
    "pause_rate": (14.0, 2.5),
    "energy_variability": (6.0, -0.6),
    "adherence": (1.0, 0.0),
}
"""Channel: its value at the usual level, and its slope against the depression logit; adherence is one on every day."""

PARTS = ("centre", "slope")


@dataclass(frozen=True)
class MadeUp:
    """A made-up cohort.

    Parameters
    ----------
    n_patients, n_days : int
        Its size; recordings are made on seven days in ten.
    last_day : datetime.date
        The newest day of a recording; the newest night is the day after.
    seed : int
        Draws the values.
    channels : tuple of str
        Channels to fill, out of `CURVES`; the first must be ``depression``.
    """

    n_patients: int
    n_days: int
    last_day: date = date(2026, 3, 31)
    seed: int = 1
    channels: tuple[str, ...] = tuple(CURVES)


def fill(engine: sa.Engine, made_up: MadeUp, progress: Callable[[str], None] = lambda step: None) -> None:
    """Fill an empty warehouse.

    Parameters
    ----------
    engine : sqlalchemy.Engine
        A migrated warehouse without patients.
    made_up : MadeUp
        What to fill it with.
    progress : callable
        Is told the name of each step.
    """
    shared = {
        "n_patients": made_up.n_patients,
        "n_days": made_up.n_days,
        "last_day": made_up.last_day,
        "seed": made_up.seed,
        "model_digest": MODEL_DIGEST,
    }

    def run(name: str, **values: object) -> None:
        progress(" ".join([name, str(values.get("channel", ""))]).rstrip())
        with engine.begin() as connection:
            connection.execute(sa.text(sql(f"bench/{name}")), {**shared, **values})

    with engine.begin() as connection:
        days = [made_up.last_day - timedelta(days=n) for n in range(made_up.n_days)]
        for table in ("scores", "monitored_days"):
            ensure_months(connection, table, days)
    for step in ("fill_patients", "fill_journals", "fill_deliveries", "fill_quality", "fill_model", "fill_scores"):
        run(step)
    run("fill_monitored_days", **_curves(made_up.channels))
    for channel in made_up.channels:
        run("fill_baselines", channel=channel)
        run("fill_short_baselines", channel=channel)
    run("fill_charts")
    for step in ("fill_alerts", "fill_alert_events", "fill_runs"):
        run(step)
    progress("derive nights")
    with engine.begin() as connection:
        first = made_up.last_day - timedelta(days=made_up.n_days - 2)
        derive_nights(connection, Nights(first, made_up.last_day + timedelta(days=1)))
    progress("analyze")
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(sa.text(sql("bench/refresh_statistics")))


def _curves(channels: tuple[str, ...]) -> dict[str, float | None]:
    """Return centre and slope of every channel, nothing for those that are not to be filled."""
    filled = {name: curve if name in channels else (None, None) for name, curve in CURVES.items() if name != ADHERENCE}
    return {f"{name}_{part}": value for name, curve in filled.items() for part, value in zip(PARTS, curve, strict=True)}
