"""``affect audit``: who saw which patient and did what, and whether the record was tampered with."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

app = typer.Typer(no_args_is_help=True, help="The audit trail: list, verify.")
out = Console(highlight=False)


@app.command()
def verify(
    head: Annotated[str | None, typer.Option(help="A hash noted earlier, which must still be in the chain.")] = None,
) -> None:
    """Work out every hash of the chain again; prints its head, to be noted elsewhere. Status 1 if it was changed."""
    from affect_pipeline.privacy.audit import verify as verify_chain
    from affect_pipeline.settings import get_settings
    from affect_pipeline.warehouse.engine import connect

    found = verify_chain(connect(get_settings()), head)
    for problem in found.problems:
        out.print(f"[bold red]broken[/]: {problem}")
    if not found.holds:
        raise typer.Exit(1)
    out.print(f"{found.n_events} events, nothing changed. Head: {found.head}", soft_wrap=True)


@app.command(name="list")
def list_(
    patient: Annotated[str | None, typer.Option(help="Pseudonym of a patient.")] = None,
    actor: Annotated[str | None, typer.Option(help="Login of a person.")] = None,
    action: Annotated[str | None, typer.Option(help="For instance patient_viewed.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="Most events shown.")] = 50,
) -> None:
    """List events, newest first."""
    from affect_pipeline.privacy.audit import list_events
    from affect_pipeline.settings import get_settings
    from affect_pipeline.warehouse.engine import connect

    table = Table("event", "when (UTC)", "who", box=None)
    table.add_column("what", no_wrap=True, min_width=16)
    table.add_column("patient", min_width=32, no_wrap=True)  # a pseudonym that is cut finds nobody
    table.add_column("detail")
    for event in list_events(connect(get_settings()), patient, actor, action, limit):
        whom = event["patient_key"] or (f"erased ({str(event['subject'])[:8]})" if event["subject"] else "")
        facts = ", ".join(f"{name}: {value}" for name, value in event["detail"].items())
        table.add_row(
            str(event["seq"]), f"{event['at']:%Y-%m-%d %H:%M:%S}", event["actor"], event["action"], whom, facts
        )
    out.print(table)
