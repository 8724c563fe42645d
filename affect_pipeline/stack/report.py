"""What the local stack prints about itself."""

from __future__ import annotations

from rich.console import Group, RenderableType
from rich.markup import escape
from rich.panel import Panel
from rich.table import Table

from affect_pipeline.stack.checks import Finding, State
from affect_pipeline.stack.environment import ADMIN, admin_password
from affect_pipeline.stack.local import LocalStack


def addresses(stack: LocalStack) -> RenderableType:
    """Return where the parts of a running stack are, and how to log in."""
    settings = stack.settings
    table = Table.grid(padding=(0, 2))
    table.add_column(style="bold")
    table.add_column(overflow="fold")
    table.add_row("Airflow", f"{stack.airflow_address}   user {ADMIN}, password {admin_password(settings)}")
    table.add_row("Dashboard", f"{stack.airflow_address}/affect/")
    if stack.with_mlflow:
        table.add_row("MLflow", stack.mlflow_address)
    table.add_row("Warehouse", "affect warehouse psql   (or the URL that `affect warehouse url` prints)")
    table.add_row("Landing zone", settings.landing)
    table.add_row("Logs", str(stack.processes.logs))
    note = "For development: its web pages listen on the loopback interface only. Ctrl-C stops all of it."
    return Panel(Group(table, "", f"[dim]{note}[/]"), title="affect-pipeline is up", expand=False)


def findings_table(findings: list[Finding]) -> RenderableType:
    """Return the findings of `affect doctor` as a table."""
    colours = {State.OK: "green", State.NOTE: "yellow", State.BROKEN: "bold red"}
    table = Table(show_edge=False)
    for title in ("check", "state", "what was seen", "how to mend it"):
        table.add_column(title, overflow="fold")
    for finding in findings:
        state = f"[{colours[finding.state]}]{finding.state}[/]"
        table.add_row(finding.name, state, escape(finding.detail), escape(finding.mend))
    return table
