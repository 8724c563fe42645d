"""Watching a DAG run until it is done, with a bar for each of its tasks."""

from __future__ import annotations

import time
from collections.abc import Callable

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from affect_pipeline.errors import StackError
from affect_pipeline.stack.airflow_api import FINISHED, AirflowApi, TaskState
from affect_pipeline.stages.in_process import STAGES

POLL_S = 0.5


def bars(console: Console) -> Progress:
    """Return the progress display that all long commands of the stack use."""
    return Progress(
        SpinnerColumn(),
        TextColumn("{task.description:<28}"),
        BarColumn(bar_width=30),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.fields[note]}"),
        console=console,
    )


def follow(
    api: AirflowApi,
    dag_id: str,
    run_id: str,
    *,
    console: Console,
    check: Callable[[], None] = lambda: None,
    timeout_s: float = 3600.0,
) -> bool:
    """Show how far a run of the stages is until it is done.

    Parameters
    ----------
    api : AirflowApi
        The Airflow that runs it.
    dag_id, run_id : str
        The run.
    console : Console
        Where to show it.
    check : callable
        Called between looks; raises if it is no use to wait on.
    timeout_s : float
        How long to wait.

    Returns
    -------
    bool
        Whether the run succeeded.

    Raises
    ------
    StackError
        If it is not done after `timeout_s`.
    """
    deadline = time.monotonic() + timeout_s
    with bars(console) as progress:
        shown = {stage: progress.add_task(f"  {stage}", total=1, start=False, note="") for stage in STAGES}
        while True:
            state = api.run_state(dag_id, run_id)
            for task_id, task in api.task_states(dag_id, run_id).items():
                if any(name not in ("none", "scheduled", "queued") for name in task.states):
                    progress.start_task(shown[task_id])
                progress.update(shown[task_id], completed=task.n_done, total=task.n_total, note=_note(task))
                if task.n_done == task.n_total:
                    progress.stop_task(shown[task_id])
            if state in FINISHED:
                return state == "success"
            if time.monotonic() > deadline:
                raise StackError(f"run {run_id} of {dag_id} is still {state} after {timeout_s:.0f} s")
            check()
            time.sleep(POLL_S)


def _note(task: TaskState) -> str:
    """Say what is worth saying of a task: what is neither finished nor waiting."""
    return ", ".join(state.replace("_", " ") for state in sorted(task.states) if state not in ("none", "success"))
