"""One night's comparison of the cohort with itself: read, judge, write down, and say what operators should know."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import sqlalchemy as sa

from affect_pipeline.nights import Nights
from affect_pipeline.notify import Message
from affect_pipeline.population.compare import Comparison, Paired, Rules, compare
from affect_pipeline.population.measures import BY_NAME, slice_in_words
from affect_pipeline.settings import Settings

MAX_COLUMNS = 60
"""Comparisons that a report draws: the whole cohort first, then what shifted, the largest first."""

MAX_PAIRS = 2_000
"""Patients of one comparison that a report draws."""


@dataclass(frozen=True)
class Drawn:
    """One comparison and what a report draws of it.

    Parameters
    ----------
    comparison : Comparison
        What was found.
    reference, current : ndarray of shape (patients,)
        Means of the same patients, in the same order, in both windows.
    """

    comparison: Comparison
    reference: npt.NDArray[np.float64]
    current: npt.NDArray[np.float64]


@dataclass(frozen=True)
class PopulationCheck:
    """What one night's comparison found.

    Parameters
    ----------
    night : datetime.date
        Last night of the current window.
    comparisons : tuple of Comparison
        All of them.
    drawn : tuple of Drawn
        Those a report shows.
    """

    night: date
    comparisons: tuple[Comparison, ...]
    drawn: tuple[Drawn, ...]

    @property
    def shifts(self) -> tuple[Comparison, ...]:
        """What shifted."""
        return tuple(one for one in self.comparisons if one.state == "shifted")

    @property
    def counts(self) -> dict[str, int]:
        """Comparisons by state, as counts of a run."""
        states = [one.state for one in self.comparisons]
        return {
            "n_population_compared": len(states) - states.count("too_little_data"),
            "n_population_shifts": states.count("shifted"),
        }


def report_path(settings: Settings, nights: Nights) -> Path:
    """Return where the report of a run is: beside its Data Docs."""
    return settings.docs_dir / f"{nights.name}-population.html"


def check_population(
    connection: sa.Connection, nights: Nights, model_digest: str | None, rules: Rules | None = None
) -> PopulationCheck:
    """Compare the last nights of a run with the weeks before, and write down what was found.

    What is written is a function of the journals the warehouse holds and of the night. Read are at most
    ``rules.max_patients`` patients and `Rules` windows of their recordings, in the warehouse; here arrives one row a
    comparison.

    Parameters
    ----------
    connection : sqlalchemy.Connection
        The warehouse, in a transaction that the caller commits.
    nights : Nights
        Nights of the run; the last one ends the current window.
    model_digest : str, optional
        Model version whose scores are compared by device, clinic and language. Others are compared as a whole.
    rules : Rules, optional
        Windows and limits.
    """
    rules = rules or Rules()
    limits = {name: getattr(rules, name) for name in ("min_current", "min_reference", "max_patients")}
    _execute(connection, "load/tune_session")
    _execute(connection, "collect_patients", **rules.windows(nights.last), **limits, model_digest=model_digest or "")
    rows = _execute(connection, "summarise_parts").mappings().all()
    found = [Paired(**dict(row)) for row in rows] or [Paired("all", "everybody", "quarantined", 0, 0)]
    comparisons = compare(found, rules)
    _write(connection, nights.last, comparisons)
    _execute(connection, "load/restore_session")
    drawn = tuple(_draw(connection, one) for one in _worth_drawing(comparisons))
    _execute(connection, "drop_patients")
    return PopulationCheck(nights.last, tuple(comparisons), drawn)


def untold_shifts(connection: sa.Connection, night: date, rules: Rules | None = None) -> list[dict[str, Any]]:
    """Return the shifts of a night that no operator was told of since the windows last held something else."""
    rules = rules or Rules()
    since = night - timedelta(days=rules.current_days + rules.reference_days)
    rows = _execute(connection, "list_untold_shifts", night=night, since=since).mappings()
    return [dict(row) for row in rows]


def note_told(connection: sa.Connection, night: date, shifts: Sequence[Mapping[str, Any]], now: datetime) -> None:
    """Note that operators were told of shifts."""
    for shift in shifts:
        key = {name: shift[name] for name in ("dimension", "part", "measure")}
        _execute(connection, "record_notice", night=night, sent_at=now, **key)


def shift_message(nights: Nights, shifts: Sequence[Mapping[str, Any]]) -> Message:
    """Return the message to operators: parts of the cohort and measures, nothing about a patient.

    Parameters
    ----------
    nights : Nights
        Nights of the run.
    shifts : sequence of mapping
        With ``dimension``, ``part``, ``measure``, ``n_patients`` and ``difference``.
    """
    parts: dict[tuple[str, str], list[Mapping[str, Any]]] = {}
    for shift in shifts:
        parts.setdefault((shift["dimension"], shift["part"]), []).append(shift)
    lines = [_line(slice_in_words(*part), found) for part, found in parts.items()]
    body = "\n".join(
        [
            *lines,
            "",
            "Patient alerts of this night may come from that and not from the patients. None was changed.",
            "Look for an update of devices or of the app; Data quality on the dashboard has the report.",
        ]
    )
    return Message(f"Voice monitoring: the recordings as a whole have shifted ({nights.last})", body)


CAUTION = "The recordings as a whole have shifted: alerts of this night may come from that. Operators were told."
"""What a message about new alerts says of such a night."""


def _line(part: str, shifts: Sequence[Mapping[str, Any]]) -> str:
    n_patients = max(shift["n_patients"] for shift in shifts)
    words = [BY_NAME[shift["measure"]].shift_in_words(shift["difference"]) for shift in shifts]
    return f"- {part} ({n_patients} patients): {', '.join(words)}"


def _worth_drawing(comparisons: Sequence[Comparison]) -> list[Comparison]:
    """Return the comparisons of the whole cohort, and of other parts those that shifted, the largest first."""
    wholes = [
        one for one in comparisons if one.p_value is not None and one.paired.dimension in {"all", "model_version"}
    ]
    parts = [one for one in comparisons if one.state == "shifted" and one not in wholes]
    return [*wholes, *sorted(parts, key=lambda one: -abs(one.effect or 0))][:MAX_COLUMNS]


def _draw(connection: sa.Connection, one: Comparison) -> Drawn:
    key = {"dimension": one.paired.dimension, "part": one.paired.part, "measure": one.paired.measure}
    pairs = np.array(_execute(connection, "list_pairs", **key, max_pairs=MAX_PAIRS).all(), float).reshape(-1, 2)
    return Drawn(one, pairs[:, 0], pairs[:, 1])


def _write(connection: sa.Connection, night: date, comparisons: Sequence[Comparison]) -> None:
    import pyarrow as pa

    from affect_pipeline.warehouse.load import upsert

    _execute(connection, "delete_comparisons", night=night)
    upsert(connection, "population_comparisons", pa.Table.from_pylist([_row(night, one) for one in comparisons]))


def _row(night: date, one: Comparison) -> dict[str, Any]:
    judged = asdict(one)
    paired = judged.pop("paired")
    kept = ("dimension", "part", "measure", "n_current", "n_patients", "reference_mean", "current_mean")
    return {"night": night} | {name: paired[name] for name in kept} | judged


def _execute(connection: sa.Connection, name: str, **values: object) -> sa.CursorResult[Any]:
    from affect_pipeline.warehouse.queries import sql

    return connection.execute(sa.text(sql(name if "/" in name else f"population/{name}")), values)
