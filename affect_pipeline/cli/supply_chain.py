"""``affect supply-chain``: what this installation is made of."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

app = typer.Typer(no_args_is_help=True, help="Packages of this installation: bill of materials, licences, known holes.")
out = Console(highlight=False)


@app.command()
def sbom(
    file: Annotated[Path | None, typer.Argument(help="File to write; by default it is printed.")] = None,
) -> None:
    """Write a software bill of materials (CycloneDX 1.5, JSON) of the run-time packages."""
    import json

    from affect_pipeline.files import write_json
    from affect_pipeline.supply_chain import runtime_packages
    from affect_pipeline.supply_chain import sbom as bill

    document = bill(runtime_packages())
    if file is None:
        typer.echo(json.dumps(document, indent=1))
    else:
        write_json(document, file)
        out.print(f"{file}: {len(document['components'])} packages")


@app.command()
def licences() -> None:
    """List the licences of the run-time packages. Status 1 if one is under the GPL only, or says none."""
    from affect_pipeline.supply_chain import runtime_packages

    packages = runtime_packages()
    table = Table("package", "version", "licence", box=None)
    for package in packages:
        table.add_row(package.name, package.version, " | ".join(package.licences) or "[red]not stated[/]")
    out.print(table)
    bad = [package.name for package in packages if package.is_gpl or not package.licences]
    out.print(f"{len(packages)} packages; under the GPL only, or not stated: {', '.join(bad) or 'none'}")
    if bad:
        raise typer.Exit(1)


@app.command()
def holes(
    database: Annotated[
        Path, typer.Argument(help="Export of the OSV database (PyPI): all.zip, or a folder.", exists=True)
    ],
) -> None:
    """Compare the run-time packages with a copy of the OSV database. Status 1 if one has a known hole."""
    from affect_pipeline.supply_chain import known_holes, runtime_packages

    packages = runtime_packages()
    found = known_holes(packages, database)
    for package, identity, summary in found:
        out.print(f"{package.name} {package.version}: {identity} {summary}")
    out.print(f"{len(packages)} packages, {len(found)} known holes")
    if found:
        raise typer.Exit(1)
