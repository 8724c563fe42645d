"""``affect bench fuzz`` and ``encryption``: what hostile recordings do, and what encryption costs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(no_args_is_help=True)

Seed = Annotated[int, typer.Option(help="Same seed, same numbers.")]
Json = Annotated[Path | None, typer.Option("--json", help="Also write the results to this file.")]
Quick = Annotated[bool, typer.Option("--quick", help="A small size that takes seconds, for tests.")]


@app.command("fuzz")
def fuzz_command(
    *,
    files: Annotated[int, typer.Option(min=1, help="Damaged deliveries.")] = 20_000,
    corpus: Annotated[
        Path | None, typer.Option(help="Folder of real recordings; default: the packaged voices.")
    ] = None,
    seed: Seed = 1,
    json: Json = None,
    quick: Quick = False,
) -> None:
    """Damage real recordings in every way, deliver them, and count what comes of it. Status 1 if anything broke."""
    import tempfile

    from rich.progress import Progress

    from affect_pipeline.bench import fuzz, tables

    n = 400 if quick else files
    with tempfile.TemporaryDirectory(prefix="affect-fuzz-") as folder, Progress(transient=True) as bar:
        task = bar.add_task("files", total=n)
        report = fuzz.run(n, seed, Path(folder), fuzz.corpus(corpus), lambda done: bar.update(task, completed=done))
    note = (
        f"{report.n_files:,} files in {report.seconds:.0f} s, the slowest {report.slowest_s:.1f} s; "
        f"{report.n_good:,} good recordings among them, {report.n_good_lost} lost; {len(report.unexpected)} unexpected "
        f"errors; this process grew by {report.memory_mib:.0f} MiB, a decoder held at most "
        f"{report.decoder_memory_mib:.0f} MiB"
    )
    tables.show(f"{n:,} hostile files", report.rows(), note)
    for line in report.unexpected[:20]:
        typer.echo(f"  {line}", err=True)
    tables.write(json, {"seed": seed, "note": note, "rows": report.rows(), "unexpected": report.unexpected})
    if not report.passed:
        raise typer.Exit(1)


@app.command("encryption")
def encryption_command(
    *,
    minutes: Annotated[float, typer.Option(min=0.1, help="Minutes of audio in each recording.")] = 1.0,
    recordings: Annotated[int, typer.Option(min=1, help="Recordings.")] = 50,
    json: Json = None,
    quick: Quick = False,
) -> None:
    """Time what encryption at rest adds to a recording, beside what measuring it takes."""
    from affect_pipeline.bench import encryption, tables

    rows = encryption.measure(2 if quick else recordings, 0.1 if quick else minutes)
    tables.show("Encryption at rest, one recording", rows, "AES-256-GCM; share: of the time to decode and measure it")
    tables.write(json, {"rows": rows, "minutes": minutes, "recordings": recordings})
