"""Releases of cohort trends: paid from a budget that the warehouse keeps, noisy, and on record.

A release is one transaction. It first adds to the ledger, where the warehouse refuses what the budget does not cover
and lets one release at a time pass; only then are patients read. What came of it stands in ``released_trends`` and in
files.
"""

from __future__ import annotations

import csv
import datetime as dt
import io
import math
from dataclasses import asdict, dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import psycopg
import sqlalchemy as sa

from affect_pipeline.errors import BudgetSpent, ModelError
from affect_pipeline.files import write_json, write_text
from affect_pipeline.privacy.audit import record, system_user
from affect_pipeline.privacy.release_figures import Figure, figures
from affect_pipeline.privacy.release_noise import (
    Records,
    ReleasePlan,
    draw,
    epsilon_of,
    noise_scales,
    price,
    rho_of,
)

NOTES = (
    "Unit of privacy: one patient. All that a patient has in this release is hidden; several releases add up, and the "
    "budget in the warehouse bounds them together.",
    "Intervals hold the figure without noise with 95 % chance. The error of sampling patients is not in them.",
    "A mean is over patients, each with one value a week, clamped to limits that were set before data was seen. A "
    "patient adds to at most weeks_per_patient weeks, drawn for each patient, so with more weeks than that, counts are "
    "of patients who were drawn and not of all who recorded.",
    "depression is the logit of a low-mood proxy fitted on acted affect; it is not a clinical measure.",
)


@dataclass(frozen=True)
class Budget:
    """What all releases together may cost a patient, and what was spent.

    Parameters
    ----------
    epsilon, delta : float
        The budget.
    rho, spent_rho : Decimal
        The same, and what was spent, as zero-concentrated differential privacy.
    n_releases : int
        Releases so far.
    """

    epsilon: float
    delta: float
    rho: Decimal
    spent_rho: Decimal
    n_releases: int

    @property
    def spent_epsilon(self) -> float:
        """Epsilon of all releases so far together."""
        return epsilon_of(float(self.spent_rho), self.delta)

    @property
    def left_epsilon(self) -> float:
        """Epsilon of the largest single release that the budget still covers, as if it were the only one."""
        return epsilon_of(max(0.0, float(self.rho - self.spent_rho)), self.delta)


@dataclass(frozen=True)
class Release:
    """A release as it is on record.

    Parameters
    ----------
    release_id : int
        Number in the ledger.
    about : dict
        What was asked for and what it cost.
    figures : tuple of Figure
        What may leave.
    """

    release_id: int
    about: dict[str, Any]
    figures: tuple[Figure, ...]


def set_budget(engine: sa.Engine, epsilon: float, delta: float, reason: str) -> Budget:
    """Set what all releases together may cost; those that were made before count."""
    actor = system_user()
    values = {"actor": actor, "epsilon": epsilon, "delta": delta, "rho": repr(rho_of(epsilon, delta))}
    with engine.begin() as connection:
        connection.execute(_query("add_budget"), values | {"reason": reason})
        record(connection, "privacy_budget_set", actor=actor, epsilon=epsilon, delta=delta)
    budget = read_budget(engine)
    assert budget is not None
    return budget


def read_budget(engine: sa.Engine) -> Budget | None:
    """Return the budget that counts, None if none was ever set."""
    with engine.connect() as connection:
        row = connection.execute(_query("get_budget")).one_or_none()
    if row is None:
        return None
    return Budget(row.epsilon, row.delta, Decimal(row.rho), Decimal(row.spent_rho), row.n_releases)


def last_weeks(n_weeks: int, through: dt.date) -> dt.date:
    """Return the Monday of the first of the last whole weeks up to and with a day."""
    after = through + dt.timedelta(days=1)
    return after - dt.timedelta(days=after.weekday(), weeks=n_weeks)


def release_trends(engine: sa.Engine, plan: ReleasePlan, model_digest: str | None = None) -> Release:
    """Pay for a release and make it; what is not covered is refused before any patient is looked at.

    Parameters
    ----------
    engine : sqlalchemy.Engine
        The warehouse as its owner or the pipeline.
    plan : ReleasePlan
        What, and at which price.
    model_digest : str, optional
        Model version whose day values are released; by default the one that scored last.

    Raises
    ------
    BudgetSpent
        If there is no budget, or too little of it is left.
    ModelError
        If nothing was ever scored.
    """
    budget = read_budget(engine)
    if budget is None:
        raise BudgetSpent("there is no privacy budget yet: `affect privacy budget --epsilon E --reason WHY` sets one")
    cost = price(plan)
    try:
        with engine.begin() as connection:
            return _release(connection, plan, cost, budget.delta, model_digest)
    except sa.exc.IntegrityError as error:
        if not isinstance(error.orig, psycopg.errors.CheckViolation):
            raise
        asked = epsilon_of(cost, budget.delta)
        with engine.begin() as connection:
            record(connection, "release_refused", epsilon=round(asked, 4), delta=budget.delta)
        raise BudgetSpent(
            f"this release costs epsilon {asked:.3g}; of the budget of {budget.epsilon:.3g} there is left what covers "
            f"{budget.left_epsilon:.3g} at delta {budget.delta:g}. Nothing was computed."
        ) from None


def _release(
    connection: sa.Connection, plan: ReleasePlan, cost: float, delta: float, model_digest: str | None
) -> Release:
    actor, epsilon = system_user(), epsilon_of(cost, delta)
    digest = model_digest or _last_model(connection)
    asked = {
        "model_digest": digest, "first_week": plan.first_week, "n_weeks": plan.n_weeks,
        "weeks_per_patient": plan.most_weeks, "least_patients": plan.least_patients,
        "channels": list(plan.channels), "clinics": list(plan.clinics),
    }  # fmt: skip
    paid = {"actor": actor, "rho": repr(cost), "epsilon": epsilon, "delta": delta}
    number = int(connection.execute(_query("add_release"), asked | paid).scalar_one())
    record(connection, "trends_released", actor=actor, release=number, epsilon=round(epsilon, 4), delta=delta)
    rows = figures(draw(read_records(connection, plan, digest), plan), plan, noise_scales(plan))
    connection.execute(_query("add_released_trend"), [{"release_id": number} | asdict(row) for row in rows])
    return read_release(connection, number)


def read_release(connection: sa.Connection, release_id: int) -> Release:
    """Return a release from the warehouse; reading what was released costs nothing.

    Raises
    ------
    KeyError
        If there is none of that number.
    """
    about = connection.execute(_query("get_release"), {"release_id": release_id}).mappings().one_or_none()
    if about is None:
        raise KeyError(f"there is no release {release_id}")
    rows = connection.execute(_query("list_released_trends"), {"release_id": release_id}).mappings()
    return Release(release_id, dict(about), tuple(Figure(**row) for row in rows))


def read_records(connection: sa.Connection, plan: ReleasePlan, model_digest: str) -> Records:
    """Return what patients have in a release; these are private."""
    values = {
        "model_digest": model_digest,
        "first_day": plan.first_week,
        "end_day": plan.first_week + dt.timedelta(weeks=plan.n_weeks),
    }
    rows = pd.DataFrame(connection.execute(_query("list_patient_weeks"), values).mappings().all())
    if plan.clinics and not rows.empty:
        rows = rows[rows.clinic.isin(plan.clinics)]
    if rows.empty:
        nobody = np.zeros((0, plan.n_weeks), np.bool_)
        return Records(np.zeros(0, np.int64), nobody, nobody, np.zeros((*nobody.shape, len(plan.channels))))
    patients, patient = np.unique(rows.patient_key.to_numpy(str), return_inverse=True)
    week = np.array([(start - plan.first_week).days // 7 for start in rows.week_start], np.int64)
    heard = rows[list(plan.channels)].to_numpy(np.float64)
    shape = (len(patients), plan.n_weeks)
    cohort, present, in_alert = np.zeros(len(patients), np.int64), np.zeros(shape, np.bool_), np.zeros(shape, np.bool_)
    means = np.zeros((*shape, len(plan.channels)))
    if plan.clinics:
        cohort[patient] = [plan.clinics.index(clinic) for clinic in rows.clinic]
    present[patient, week] = np.isfinite(heard).all(1)
    in_alert[patient, week] = rows.in_alert.to_numpy(np.bool_)
    means[patient, week] = heard
    return Records(cohort, present, in_alert, means)


def write_files(release: Release, folder: Path) -> tuple[Path, Path]:
    """Write a release as JSON, with what it cost and how to read it, and as CSV; returns both paths."""
    name = f"release-{release.release_id:04d}"
    rows = [asdict(figure) | {"week_start": figure.week_start.isoformat()} for figure in release.figures]
    about = release.about | {"first_week": release.about["first_week"].isoformat()}
    write_json({"release": about, "notes": list(NOTES), "figures": rows}, folder / f"{name}.json")
    text = io.StringIO()
    writer = csv.DictWriter(text, list(Figure.__dataclass_fields__), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    write_text(text.getvalue(), folder / f"{name}.csv")
    return folder / f"{name}.json", folder / f"{name}.csv"


def expected_halfwidth(plan: ReleasePlan, n_patients: int) -> dict[str, float]:
    """Return how wide error bars will be with so many patients a week: needs no data and costs nothing.

    For means half the width of the 95 % interval in the channel's unit, for a mean in the middle of its limits.
    """
    from affect_pipeline.privacy.release_figures import Z_95
    from affect_pipeline.privacy.release_noise import GRID, LIMITS

    scales = noise_scales(plan)
    widths = {"patients": Z_95 * scales.n_patients, "share_in_alert": Z_95 * scales.n_in_alert / n_patients}
    for channel in plan.channels:
        low, high = LIMITS[channel]
        widths[channel] = Z_95 * scales.sums / GRID * (high - low) / 2 / n_patients
    return {name: width if math.isfinite(width) else math.inf for name, width in widths.items()}


def _last_model(connection: sa.Connection) -> str:
    from affect_pipeline.warehouse.queries import sql

    found = connection.execute(sa.text(sql("monitor/find_model")), {"night": dt.date.max}).scalar_one_or_none()
    if found is None:
        raise ModelError("nothing has been scored yet, so there is nothing to release")
    return str(found)


def _query(name: str) -> sa.TextClause:
    from affect_pipeline.warehouse.queries import sql

    return sa.text(sql(f"privacy/{name}"))
