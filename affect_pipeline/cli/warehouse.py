"""``affect warehouse``: schema, content hash, queries, backup of the PostgreSQL warehouse."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

if TYPE_CHECKING:
    import pandas as pd
    import sqlalchemy as sa

app = typer.Typer(no_args_is_help=True, help="The PostgreSQL warehouse: schema, hash, queries, backup.")
out = Console()


def _engine() -> sa.Engine:
    from affect_pipeline.settings import get_settings
    from affect_pipeline.warehouse.engine import connect

    return connect(get_settings())


@app.command()
def migrate() -> None:
    """Bring the schema up to date."""
    from affect_pipeline.warehouse.migrate import migrate as apply_migrations

    for name in apply_migrations(_engine()) or ["nothing to do: the warehouse is up to date"]:
        out.print(name, highlight=False)


@app.command(name="hash")
def hash_(total_only: Annotated[bool, typer.Option("--total", help="Print only the total.")] = False) -> None:
    """Print a hash of what each table says, whatever the order it was written in."""
    from affect_pipeline.warehouse.hash import table_hashes, total_hash

    rows = table_hashes(_engine())
    total = total_hash({row.table: row.digest for row in rows})
    if total_only:
        typer.echo(total)
        return
    table = Table("table", "rows", "sha256", box=None)
    table.columns[1].justify = "right"
    for row in rows:
        table.add_row(row.table, f"{row.n_rows:,}", row.digest)
    table.add_row("total", f"{sum(row.n_rows for row in rows):,}", total, style="bold")
    _wide().print(table)


@app.command()
def url(
    database: Annotated[
        str, typer.Option(help="Database of the embedded server: affect, airflow or mlflow.")
    ] = "affect",
) -> None:
    """Print the URL of the warehouse, password and all, for psql or a notebook.

    The embedded server answers there as long as something uses it, for instance `affect up`.
    """
    from affect_pipeline.settings import get_settings
    from affect_pipeline.warehouse.engine import libpq_url, warehouse_url

    settings = get_settings()
    found = warehouse_url(settings)
    typer.echo(libpq_url(found if settings.warehouse_url else found.set(database=database)))


@app.command()
def query(
    name: Annotated[str, typer.Argument(help="Name of a file in sql/queries, without .sql; `list` shows them.")],
    parameters: Annotated[list[str] | None, typer.Argument(help="name=value for its parameters.")] = None,
    csv: Annotated[Path | None, typer.Option(help="Write CSV to this file.")] = None,
    parquet: Annotated[Path | None, typer.Option(help="Write Parquet to this file.")] = None,
) -> None:
    """Run one of the analyst queries."""
    from affect_pipeline.warehouse.analyst import list_queries, run_query

    if name == "list":
        table = Table("query", "parameters", "what it answers", box=None)
        for found in list_queries():
            table.add_row(found.name, " ".join(found.parameters), found.purpose)
        out.print(table)
        return
    values = dict(item.partition("=")[::2] for item in parameters or [])
    frame = run_query(_engine(), name, values)
    if csv is not None:
        frame.to_csv(csv, index=False)
    if parquet is not None:
        frame.to_parquet(parquet, index=False)
    if csv is None and parquet is None:
        _show(frame)


@app.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
def psql(context: typer.Context) -> None:
    """Open psql on the warehouse; further arguments go to psql."""
    import subprocess

    from affect_pipeline.settings import get_settings
    from affect_pipeline.warehouse.backup import client

    _engine()  # the server keeps running while this process waits for psql
    here = client(get_settings(), "psql")
    environment = here.environment | {"PGOPTIONS": "-c search_path=affect,public"}
    raise typer.Exit(subprocess.run([*here.command, *context.args], env=environment, check=False).returncode)


@app.command()
def backup(file: Annotated[Path, typer.Argument(help="File to write (pg_dump custom format).")]) -> None:
    """Write the whole warehouse to one file."""
    from affect_pipeline.settings import get_settings
    from affect_pipeline.warehouse.backup import backup as write_backup

    _engine()
    size = write_backup(get_settings(), file)
    out.print(f"wrote {file} ({size / 1e6:,.1f} MB)", highlight=False)


@app.command()
def restore(
    file: Annotated[Path, typer.Argument(help="File that `affect warehouse backup` wrote.", exists=True)],
    replace: Annotated[bool, typer.Option("--replace", help="Drop what the warehouse holds now.")] = False,
) -> None:
    """Fill an empty warehouse from a backup."""
    from affect_pipeline.settings import get_settings
    from affect_pipeline.warehouse.backup import restore as read_backup

    read_backup(get_settings(), file, replace=replace)
    out.print(f"restored {file}", highlight=False)


@app.command()
def dictionary(
    file: Annotated[Path | None, typer.Argument(help="File to write, for instance docs/data-dictionary.md.")] = None,
) -> None:
    """Write the data dictionary from the comments in the warehouse."""
    from affect_pipeline.warehouse.dictionary import data_dictionary

    text = data_dictionary(_engine())
    if file is None:
        typer.echo(text, nl=False)
    else:
        file.write_text(text, encoding="utf-8")


def _show(frame: pd.DataFrame) -> None:
    """Print a table, or, where it is wider than the terminal, one block of lines a row."""
    cells = frame.astype(object).where(frame.notna(), "").astype(str)
    widths = [max([len(str(name)), *cells[name].str.len()]) for name in cells]
    if sum(widths) + 2 * len(widths) <= out.width:
        table = Table(*map(str, cells.columns), box=None)
        for row in cells.itertuples(index=False):
            table.add_row(*map(escape, row))
        out.print(table)
        return
    for row in cells.itertuples(index=False):
        block = Table.grid(padding=(0, 2))
        for name, value in zip(cells.columns, row, strict=True):
            block.add_row(f"[bold]{name}[/]", escape(value))
        out.print(block, "")


def _wide() -> Console:
    """Return a console that never wraps: hashes are for copying and comparing."""
    return Console(width=max(120, out.width), soft_wrap=True)
