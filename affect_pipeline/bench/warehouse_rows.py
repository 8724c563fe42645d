"""A made-up warehouse of any size, for load tests, screenshots and tests of the web service.

Nothing was recorded or listened to: rows are made in SQL (``sql/bench``), each a function of the
patient's number, the day and the seed. One patient in six has too little data; some change in the
last three weeks and have an open alert.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import groupby

import sqlalchemy as sa

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

MONTHLY = ("scores", "monitored_days")
KEYED = ("monitored_days,deliveries", "journals,scores,audio_quality")
"""Tables whose keys are made at the same time: about the same work on both sides."""


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

    @property
    def days(self) -> list[date]:
        """All days of recordings, in order."""
        return [self.last_day - timedelta(days=n) for n in reversed(range(self.n_days))]


def fill(
    engine: sa.Engine, made_up: MadeUp, progress: Callable[[str], None] = lambda step: None, *, throw_away: bool = False
) -> None:
    """Fill an empty warehouse.

    Parameters
    ----------
    engine : sqlalchemy.Engine
        A migrated warehouse without patients.
    made_up : MadeUp
        What to fill it with.
    progress : callable
        Is told the name of each step.
    throw_away : bool
        For a large warehouse that is thrown away: keys are made after the rows, on two connections, and changes are
        not logged, so a crash of the server loses it. What stands in it is the same.
    """
    run = _Runner(engine, made_up, progress)
    n_at_once = 2 if throw_away else 1
    with engine.begin() as connection:
        for table in MONTHLY:
            ensure_months(connection, table, made_up.days)
    if throw_away:
        run("lay_bare")
    for step in ("fill_patients", "fill_model"):
        run(step)
    run.each_month(
        ("fill_journals", "fill_deliveries", "fill_quality", "fill_scores", "fill_questionnaires"), n_at_once
    )
    run("fill_baselines")
    run.each_month(("fill_monitored_days",), n_at_once)
    if throw_away:
        run.restore_keys()
    for step in ("fill_alerts", "fill_alert_events", "fill_runs"):
        run(step)
    run.each_month(("fill_nights",), n_at_once)
    run("refresh_statistics")


@dataclass(frozen=True)
class _Runner:
    """Runs statements of ``sql/bench``, each in a transaction of its own."""

    engine: sa.Engine
    made_up: MadeUp
    progress: Callable[[str], None]

    def __call__(self, name: str, **values: object) -> None:
        if "first" not in values:
            self.progress(name)
        with self.engine.begin() as connection:
            connection.execute(sa.text(sql(f"bench/{name}")), {**self._shared, **values})

    def each_month(self, names: tuple[str, ...], n_at_once: int) -> None:
        """Run statements month by month, several months at the same time."""
        self.progress(", ".join(names))

        def fill_month(month: tuple[date, date]) -> None:
            for name in names:
                self(name, first=month[0], last=month[1])

        with ThreadPoolExecutor(n_at_once) as pool:
            list(pool.map(fill_month, _months(self.made_up.days)))

    def restore_keys(self) -> None:
        """Put back the keys that ``lay_bare`` took."""
        self.progress("keys")

        def restore(tables: str) -> None:
            with self.engine.begin() as connection:
                connection.execute(sa.text(sql("bench/choose_tables")), {"tables": tables})
                connection.execute(sa.text(sql("bench/restore_keys")))

        with ThreadPoolExecutor(2) as pool:
            list(pool.map(restore, KEYED))

    @property
    def _shared(self) -> dict[str, object]:
        made_up = self.made_up
        curves = {name: CURVES[name] for name in made_up.channels}
        return {
            "n_patients": made_up.n_patients,
            "n_days": made_up.n_days,
            "last_day": made_up.last_day,
            "seed": made_up.seed,
            "model_digest": MODEL_DIGEST,
            "channels": list(curves),
            "centres": [centre for centre, _ in curves.values()],
            "slopes": [slope for _, slope in curves.values()],
        }


def _months(days: list[date]) -> list[tuple[date, date]]:
    """Return first and last day of each month among consecutive days, in order."""
    return [
        (found[0], found[-1])
        for _, group in groupby(days, key=lambda day: (day.year, day.month))
        if (found := list(group))
    ]
