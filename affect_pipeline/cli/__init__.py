"""The ``affect`` command line.

Each module beside this one holds the commands of one area and exposes them as ``app``. Their
imports are light; what is heavy is imported by a command when it runs.
"""

from __future__ import annotations

import importlib
import sys

import typer
from rich.console import Console

from affect_pipeline.errors import AffectError

GROUPS: dict[str, str | tuple[str, ...]] = {
    "warehouse": "affect_pipeline.cli.warehouse",
    "people": "affect_pipeline.cli.people",
    "bench": (
        "affect_pipeline.cli.bench",
        "affect_pipeline.cli.bench_speed",
        "affect_pipeline.cli.bench_safety",
        "affect_pipeline.cli.bench_latency",
    ),
    "alerts": "affect_pipeline.cli.alerts",
    "quarantine": "affect_pipeline.cli.quarantine",
    "audit": "affect_pipeline.cli.audit",
    "privacy": ("affect_pipeline.cli.privacy", "affect_pipeline.cli.releases"),
    "interop": "affect_pipeline.cli.interop",
    "supply-chain": "affect_pipeline.cli.supply_chain",
    "model": ("affect_pipeline.cli.model", "affect_pipeline.cli.model_lifecycle", "affect_pipeline.cli.model_export"),
}
"""Command groups: name on the command line -> module that holds its ``app``, or several that share the group."""

TOP_LEVEL: tuple[str, ...] = (
    "affect_pipeline.cli.stack",
    "affect_pipeline.cli.simulate",
    "affect_pipeline.cli.serve",
    "affect_pipeline.cli.report",
)
"""Modules whose commands stand directly under ``affect``."""


def build() -> typer.Typer:
    """Return the whole command line as one Typer application."""
    root = typer.Typer(no_args_is_help=True, pretty_exceptions_enable=False, help=__doc__.splitlines()[0])
    for name, modules in GROUPS.items():
        root.add_typer(_group(modules), name=name)
    for module in TOP_LEVEL:
        root.registered_commands += importlib.import_module(module).app.registered_commands
    return root


def _group(modules: str | tuple[str, ...]) -> typer.Typer:
    if isinstance(modules, str):
        app: typer.Typer = importlib.import_module(modules).app
        return app
    apps = [importlib.import_module(module).app for module in modules]
    joined = typer.Typer(no_args_is_help=True, help=apps[0].info.help)
    joined.registered_commands = [command for app in apps for command in app.registered_commands]
    return joined


def main() -> None:
    """Run the command line; errors of ours are printed without a traceback and exit with status 1."""
    try:
        build()()
    except AffectError as error:
        Console(stderr=True).print(f"[bold red]{type(error).__name__}[/]: {error}", highlight=False)
        sys.exit(1)
