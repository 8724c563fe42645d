"""Commands of the local stack: start it, check it, try it out, run nights without it."""

from __future__ import annotations

import time
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
