"""``affect quarantine``: recordings that were not scored, why, and letting them out."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table

if TYPE_CHECKING:
    import sqlalchemy as sa

app = typer.Typer(no_args_is_help=True, help="Recordings in quarantine: list, show, release.")
out = Console()

JournalArgument = Annotated[str, typer.Argument(help="journal_id, or its first 8 characters or more.")]


def _engine() -> sa.Engine:
    from affect_pipeline.settings import get_settings
    from affect_pipeline.warehouse.engine import connect

    return connect(get_settings())


@app.command(name="list")
def list_(
    nights: Annotated[str, typer.Option(help="Night or range: 2026-01-05, 2026-01-05_2026-02-20. Default: all.")] = "",
    limit: Annotated[int, typer.Option(min=1, help="Most recordings shown.")] = 100,
) -> None:
    """List recordings in quarantine, newest night first."""
    from affect_pipeline.quality.release import list_quarantine

    first, last = _bounds(nights)
    table = Table("night", "journal", "patient", "failed", "released by", box=None)
    rows = list_quarantine(_engine(), first, last, limit)
    for row in rows:
        table.add_row(
            f"{row.night}", row.journal_id[:12], row.patient_key[:8], ", ".join(row.failed), row.released_by or ""
        )
    out.print(table if rows else "Nothing is in quarantine.")


@app.command()
def show(journal: JournalArgument) -> None:
    """Show one recording and what the quality contract said about it."""
    from affect_pipeline.quality.release import find_journal

    found = find_journal(_engine(), journal)
    for name in ("journal_id", "status", "night", "local_day", "patient_key", "device", "audio_format", "n_bytes"):
        out.print(f"{name:13} {found[name]}", highlight=False)
    out.print(f"{'failed':13} {', '.join(found['failed']) or '-'}", highlight=False)
    out.print(f"{'warned':13} {', '.join(found['warned']) or '-'}", highlight=False)
    table = Table("expectation", "metric", "value", "verdict", "suite", box=None)
    for check in found["checks"]:
        value = "" if check["value"] is None else f"{check['value']:.4g}"
        table.add_row(check["expectation"], check["metric"], value, check["verdict"], check["suite_version"])
    if found["checks"]:
        out.print(table)


@app.command()
def release(
    journal: JournalArgument,
    reason: Annotated[str, typer.Option(prompt="Why is this recording to be trusted?", help="Why; kept with it.")],
    actor: Annotated[str, typer.Option(help="Who decides. Default: the login name.")] = "",
) -> None:
    """Let a recording out of quarantine. It is accepted and scored when its night is run again."""
    import getpass

    from affect_pipeline.journals.store import RawStore
    from affect_pipeline.quality.release import release as let_out
    from affect_pipeline.settings import get_settings

    store = RawStore.of(get_settings())
    released = let_out(_engine(), store, journal, actor or getpass.getuser(), reason)
    out.print(f"Released {released.journal_id[:12]}. Run night {released.night} again to score it.", highlight=False)


def _bounds(nights: str) -> tuple[date | None, date | None]:
    from affect_pipeline.nights import Nights

    if not nights:
        return None, None
    try:
        parsed = Nights.parse(nights)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None
    return parsed.first, parsed.last
