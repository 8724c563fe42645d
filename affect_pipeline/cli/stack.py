"""Commands of the local stack: start it, check it, try it out, run nights without it."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from affect_pipeline.settings import get_settings

app = typer.Typer()
console = Console(highlight=False)


@app.command()
def up(
    port: Annotated[int, typer.Option(help="Port of Airflow's web page; a free one is taken if it is in use.")] = 8080,
    mlflow: Annotated[bool, typer.Option(help="Serve MLflow's web page too.")] = True,
) -> None:
    """Start the local stack and keep it in the foreground; Ctrl-C stops all of it."""
    from affect_pipeline.stack.local import local_stack
    from affect_pipeline.stack.ports import Ports
    from affect_pipeline.stack.report import addresses
    from affect_pipeline.stack.signals import one_interrupt

    try:
        with (
            one_interrupt(),
            console.status("starting") as status,
            local_stack(get_settings(), status.update, ports=Ports(api=port), with_mlflow=mlflow) as stack,
        ):
            status.stop()
            console.print(addresses(stack))
            while True:
                time.sleep(1.0)
                stack.processes.check()
    except KeyboardInterrupt:
        console.print("stopped; nothing is left running")


@app.command()
def doctor() -> None:
    """Say what is wrong with this set-up, and how to mend it."""
    from affect_pipeline.stack.checks import State, examine
    from affect_pipeline.stack.report import findings_table

    findings = examine(get_settings())
    console.print(findings_table(findings))
    if any(finding.state is State.BROKEN for finding in findings):
        raise typer.Exit(1)


@app.command()
def demo(
    corpus: Annotated[
        Path | None,
        typer.Option(help="Folder of real recordings with a manifest.csv. Default: the packaged synthesised voices."),
    ] = None,
    patients: Annotated[int, typer.Option(min=1, help="Number of patients.")] = 12,
    days: Annotated[int, typer.Option(min=2, help="Days of the study; as many nights of arrival.")] = 50,
    seed: Annotated[int, typer.Option(min=0, help="The same seed gives the same recordings.")] = 1,
) -> None:
    """Run the pipeline on a simulated cohort through the real scheduler, and print what it found."""
    from affect_pipeline.stack.demo import Cohort, run_demo
    from affect_pipeline.stack.signals import one_interrupt

    try:
        with one_interrupt():
            succeeded = run_demo(get_settings(), Cohort(patients, days, seed, corpus), console)
    except KeyboardInterrupt:
        console.print("stopped; nothing is left running")
        succeeded = False
    if not succeeded:
        raise typer.Exit(1)


@app.command()
def run(
    nights: Annotated[str, typer.Argument(help="A night (2026-01-05), or a range (2026-01-05_2026-02-20).")],
) -> None:
    """Run the stages over nights in this process, without Airflow."""
    _run_here(nights)


@app.command()
def backfill(
    first: Annotated[str, typer.Argument(help="First night, for instance 2026-01-05.")],
    last: Annotated[str, typer.Argument(help="Last night.")],
) -> None:
    """Run the stages over a range of nights at once, in this process, without Airflow."""
    _run_here(f"{first}_{last}")


def _run_here(name: str) -> None:
    from affect_pipeline.errors import SettingsError
    from affect_pipeline.nights import Nights
    from affect_pipeline.notify import notifier_of
    from affect_pipeline.stack.follow import bars
    from affect_pipeline.stages.in_process import STAGES, run_nights
    from affect_pipeline.warehouse.engine import connect
    from affect_pipeline.warehouse.migrate import migrate

    try:
        nights = Nights.parse(name)
    except ValueError as error:
        raise SettingsError(str(error)) from error
    settings = get_settings()
    migrate(connect(settings))
    with bars(console) as progress:
        shown = {stage: progress.add_task(f"  {stage}", total=None, note="") for stage in STAGES}
        results = run_nights(
            settings,
            nights,
            notifier=notifier_of(settings) if len(nights) == 1 else None,
            progress=lambda stage, done, total: progress.update(shown[stage], completed=done, total=total),
        )
    for count, value in results.publish["counts"].items():
        console.print(f"{count.removeprefix('n_').replace('_', ' '):<18} {value:>8,}")
