"""The demo: a simulated cohort through the real scheduler, and what the pipeline found compared with the truth."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console

from affect_pipeline.errors import StackError
from affect_pipeline.nights import Nights
from affect_pipeline.settings import Settings
from affect_pipeline.stack.follow import bars, follow
from affect_pipeline.stack.local import LocalStack, local_stack, stack_is_running

if TYPE_CHECKING:
    from affect_pipeline.simulate.truth import Truth

NIGHTLY, BACKFILL = "nightly_voice_monitoring", "history_backfill"


@dataclass(frozen=True)
class Cohort:
    """The cohort of a demo.

    Parameters
    ----------
    n_patients, n_days, seed : int
        As `affect simulate` takes them.
    corpus : Path, optional
        Folder of real recordings; without it the packaged synthesised voices speak.
    """

    n_patients: int = 12
    n_days: int = 50
    seed: int = 1
    corpus: Path | None = None


def demo_settings(settings: Settings) -> Settings:
    """Return the settings of the demo: a folder of its own, everything else local.

    A warehouse, registry, landing zone or notification service that the settings name is left alone.
    """
    local = {"warehouse_url": "", "mlflow_uri": "", "landing_url": "", "notify_urls": ""}
    return settings.model_copy(update={"home": settings.home / "demo", **local})


def run_demo(settings: Settings, cohort: Cohort, console: Console) -> bool:
    """Run the demo.

    Parameters
    ----------
    settings : Settings
        The installation; the demo's state goes to ``<home>/demo`` and replaces that of the last one.
    cohort : Cohort
        Whose journals.
    console : Console
        Where to show what happens.

    Returns
    -------
    bool
        Whether every run of the nightly DAG succeeded.

    Raises
    ------
    AffectError
        If the stack does not start, or the corpus cannot serve.
    """
    demo = demo_settings(settings)
    _clear(demo)
    with _step(console, "Recording voice journals"):
        truth = _simulate(demo, cohort, console)
    with (
        console.status("starting") as status,
        local_stack(demo, status.update, on_schedule=False, with_mlflow=False) as stack,
    ):
        status.stop()
        console.print(f"[green]✓[/] Airflow is up at {stack.airflow_address}", highlight=False)
        succeeded = _run_dags(stack, truth.nights, console)
        if succeeded:
            _print_report(stack, console)
    return succeeded


def _clear(demo: Settings) -> None:
    if stack_is_running(demo):
        raise StackError(f"a stack is running in {demo.home}; stop it with Ctrl-C where it runs")
    if demo.home.exists():
        from affect_pipeline.warehouse.embedded import stop

        stop(demo)  # of a demo that was killed outright
    shutil.rmtree(demo.home, ignore_errors=True)


def _simulate(demo: Settings, cohort: Cohort, console: Console) -> Truth:
    from affect_pipeline.simulate.run import simulate
    from affect_pipeline.simulate.truth import read_truth

    path = demo.home / "truth.json"
    with bars(console) as progress:
        shown = progress.add_task("  journals", total=None, note="")
        simulate(
            n_patients=cohort.n_patients,
            n_days=cohort.n_days,
            seed=cohort.seed,
            landing_url=demo.landing,
            truth_path=path,
            corpus=cohort.corpus,
            progress=lambda done, total: progress.update(shown, completed=done, total=total),
        )
    return read_truth(path)


def _run_dags(stack: LocalStack, nights: Nights, console: Console) -> bool:
    """Load all nights but the last by the backfill DAG, then run the last one as the schedule would."""
    api, check = stack.api, stack.processes.check
    history = Nights(nights.first, max(nights.first, nights.last - timedelta(days=1)))
    conf = {"first_night": f"{history.first}", "last_night": f"{history.last}"}
    with _step(console, f"{BACKFILL}: nights {history.first} to {history.last}"):
        run_id = api.trigger(BACKFILL, conf)
        succeeded = follow(api, BACKFILL, run_id, console=console, check=check)
    if not succeeded:
        return _say_what_failed(stack, BACKFILL, run_id, console)
    api.set_paused(NIGHTLY, paused=False)
    try:
        with _step(console, f"{NIGHTLY}: night {nights.last}"):
            run_id = api.trigger_night(NIGHTLY, nights.last)
            succeeded = follow(api, NIGHTLY, run_id, console=console, check=check)
    finally:
        # Started again later, the stack of the demo must not add today's empty night to the cohort.
        api.set_paused(NIGHTLY, paused=True)
    return succeeded or _say_what_failed(stack, NIGHTLY, run_id, console)


def _say_what_failed(stack: LocalStack, dag_id: str, run_id: str, console: Console) -> bool:
    logs = stack.settings.home / "airflow" / "logs" / f"dag_id={dag_id}" / f"run_id={run_id}"
    failed = ", ".join(stack.api.failed_tasks(dag_id, run_id)) or "no task by itself"
    console.print(f"[bold red]{dag_id} failed[/]: {failed}. Logs: {logs}", highlight=False, soft_wrap=True)
    return False


def _print_report(stack: LocalStack, console: Console) -> None:
    from affect_pipeline.simulate.report import report

    console.print(report(stack.settings, stack.settings.home / "truth.json"))
    home = stack.settings.home
    console.print("\nWhere to look next", style="bold")
    for what, command in (
        ("Airflow and the dashboard", f'AFFECT_HOME="{home}" .venv/bin/affect up'),
        ("the warehouse, in SQL", f'AFFECT_HOME="{home}" .venv/bin/affect warehouse psql'),
        ("the quality of each night", str(stack.settings.docs_dir)),
    ):
        console.print(f"  {what:<27} {command}", highlight=False, soft_wrap=True)


@contextmanager
def _step(console: Console, title: str) -> Iterator[None]:
    console.print(f"[bold]{title}[/]", highlight=False)
    started = time.monotonic()
    yield
    console.print(f"[dim]  {time.monotonic() - started:.0f} s[/]", highlight=False)
