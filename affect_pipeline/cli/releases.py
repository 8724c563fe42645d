"""``affect privacy budget | release``: cohort trends that may leave the warehouse, under differential privacy."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table

if TYPE_CHECKING:
    from affect_pipeline.privacy.release_noise import ReleasePlan

app = typer.Typer(no_args_is_help=True)
out = Console(highlight=False)


@app.command()
def budget(
    epsilon: Annotated[
        float | None, typer.Option(min=0.001, help="Set what all releases together may cost a patient.")
    ] = None,
    delta: Annotated[float, typer.Option(min=1e-15, max=1e-3, help="Well below one in the number of patients.")] = 1e-6,
    reason: Annotated[str, typer.Option(help="Why; kept with the budget. Needed to set one.")] = "",
) -> None:
    """Show the privacy budget of releases and what was spent of it, or set it."""
    from affect_pipeline.errors import SettingsError
    from affect_pipeline.privacy.releases import read_budget, set_budget
    from affect_pipeline.settings import get_settings
    from affect_pipeline.warehouse.engine import connect

    engine = connect(get_settings())
    if epsilon is not None and not reason:
        raise SettingsError("a budget is set with --reason: who looks at the ledger later wants to know why")
    found = set_budget(engine, epsilon, delta, reason) if epsilon is not None else read_budget(engine)
    if found is None:
        out.print("no budget was set: `affect privacy budget --epsilon E --reason WHY` sets one")
        return
    out.print(f"budget: epsilon {found.epsilon:g} at delta {found.delta:g}, for all releases together")
    out.print(f"spent: epsilon {found.spent_epsilon:.4g} by {found.n_releases} releases")
    out.print(f"left: covers one more release of epsilon {found.left_epsilon:.4g}")


@app.command()
def release(
    *,
    epsilon: Annotated[float, typer.Option(min=0.001, help="Price of this release, at the budget's delta.")] = 1.0,
    weeks: Annotated[int, typer.Option(min=1, max=104, help="Whole weeks.")] = 4,
    through: Annotated[datetime | None, typer.Option(formats=["%Y-%m-%d"], help="Last day; default: today.")] = None,
    channel: Annotated[
        list[str] | None, typer.Option(help="Channel whose means are released. Repeatable; default: the scores.")
    ] = None,
    clinic: Annotated[
        list[str] | None, typer.Option(help="A cohort for each clinic named. Repeatable; default: everybody.")
    ] = None,
    weeks_per_patient: Annotated[int, typer.Option(min=1, help="Weeks that a patient adds to at most.")] = 4,
    least_patients: Annotated[int, typer.Option(min=1, help="Withhold means over fewer (noisy) patients.")] = 20,
    model: Annotated[str | None, typer.Option(help="Digest of the model; default: the one that scored last.")] = None,
    plan_only: Annotated[
        bool, typer.Option("--plan", help="Say how wide the error bars will be; reads nothing, costs nothing.")
    ] = False,
    folder: Annotated[Path | None, typer.Option("--out", help="Folder of the files; default: <home>/releases.")] = None,
) -> None:
    """Release weekly counts, shares in alert and means of cohorts, with noise that hides each patient."""
    from affect_pipeline.errors import SettingsError
    from affect_pipeline.privacy.release_noise import ReleasePlan, rho_of
    from affect_pipeline.privacy.releases import last_weeks, read_budget, release_trends, write_files
    from affect_pipeline.settings import get_settings
    from affect_pipeline.warehouse.engine import connect

    settings = get_settings()
    engine = connect(settings)
    known = read_budget(engine)
    first = last_weeks(weeks, (through or datetime.now(UTC)).date())
    named = {"channels": tuple(channel)} if channel else {}
    try:
        plan = ReleasePlan(
            first, weeks, rho_of(epsilon, known.delta if known else 1e-6), clinics=tuple(clinic or ()),
            weeks_per_patient=weeks_per_patient, least_patients=least_patients, **named,
        )  # fmt: skip
    except ValueError as error:
        raise SettingsError(str(error)) from None
    if plan_only:
        _print_plan(plan)
        return
    made = release_trends(engine, plan, model)
    _print_figures(made.figures)
    for path in write_files(made, folder or settings.home / "releases"):
        out.print(f"written to {path}", soft_wrap=True)
    about = made.about
    out.print(f"release {made.release_id}: epsilon {about['epsilon']:.4g} at delta {about['delta']:g} a patient")


def _print_plan(plan: ReleasePlan) -> None:
    from affect_pipeline.privacy.releases import expected_halfwidth

    sizes = (100, 1_000, 10_000, 100_000)
    table = Table("patients a week", *(f"{size:,}" for size in sizes), box=None, title="95 % error bars, ±")
    columns = [expected_halfwidth(plan, size) for size in sizes]
    for name in columns[0]:
        table.add_row(name, *(f"{column[name]:.3g}" for column in columns))
    out.print(table)


def _print_figures(figures: object) -> None:
    from affect_pipeline.privacy.release_figures import Figure

    table = Table("cohort", "week of", "measure", "value", "95 %", box=None)
    assert isinstance(figures, tuple)
    for row in figures:
        assert isinstance(row, Figure)
        interval = "too few" if row.value is None else f"{row.low_95:.3g} to {row.high_95:.3g}"
        value = "withheld" if row.value is None else f"{row.value:.3g}"
        table.add_row(row.cohort, f"{row.week_start:%Y-%m-%d}", row.measure, value, interval)
    out.print(table)
