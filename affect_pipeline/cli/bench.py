"""``affect bench``: the tables that the documentation quotes, made on this machine."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(no_args_is_help=True, help="Benchmarks of accuracy and speed; each prints a table.")

Seed = Annotated[int, typer.Option(help="Same seed, same numbers.")]
Json = Annotated[Path | None, typer.Option("--json", help="Also write the results to this file.")]
Quick = Annotated[bool, typer.Option("--quick", help="A small size that takes seconds, for tests.")]


@app.command("drift")
def drift_command(
    *,
    patients: Annotated[int, typer.Option(min=50, help="Simulated patients a row.")] = 10_000,
    seed: Seed = 1,
    json: Json = None,
    quick: Quick = False,
    scenarios: Annotated[bool, typer.Option(help="Also run every awkward kind of cohort.")] = True,
    river: Annotated[bool, typer.Option(help="Also run river's detectors (slow).")] = True,
) -> None:
    """Compare charts: share of changes found within 14 and 28 days at 10 % false alarms per patient in 90 days."""
    from affect_pipeline.bench import drift, tables

    n = 400 if quick else patients
    rows = [row.as_dict() for row in drift.compare(n, seed, with_river=river and not quick)]
    note = "dX +Y ≤Z: share of changes of Y SDs with onset on day X found within Z days, first alarms only"
    tables.show(f"Charts compared, {n:,} patients a row", rows, note)
    swept = []
    if scenarios:
        swept = drift.sweep(n, seed, drift.SCENARIOS[:2] if quick else drift.SCENARIOS)
        tables.show(f"Kinds of cohorts, {n:,} patients a row", swept, note)
    tables.write(json, {"patients": n, "seed": seed, "charts": rows, "cohorts": swept})


@app.command("serve")
def serve_command(
    *,
    patients: Annotated[int, typer.Option(min=30, help="Patients in the made-up warehouse.")] = 10_000,
    days: Annotated[int, typer.Option(min=45, help="Days of recordings in it.")] = 1_095,
    channels: Annotated[int, typer.Option(min=1, max=8, help="Channels filled; fewer take less disk.")] = 8,
    clients: Annotated[int, typer.Option(min=1, max=64, help="Clients that send recordings at once.")] = 16,
    model_dir: Annotated[Path | None, typer.Option(help="Model folder; by default the packaged one.")] = None,
    seed: Seed = 1,
    json: Json = None,
    quick: Quick = False,
) -> None:
    """Put load on a started web service: live analysis, pages over a large warehouse, idle streams."""
    from dataclasses import asdict, replace

    from affect_pipeline.bench import serve, tables

    size = serve.Load(n_patients=patients, n_days=days, n_channels=channels, n_clients=clients, seed=seed)
    load = replace(serve.QUICK, seed=seed) if quick else size
    figures = serve.measure(load, model_dir, lambda step: typer.echo(f"  {step}", err=True))
    note = (
        "The base is the batch scorer alone: it decodes and measures nothing, the service does, on the same cores. "
        "Ideal queueing: every client waits for one batch of all clients. Pages: one client, other patients each time."
    )
    title = f"Web service, {load.n_patients:,} patients x {load.n_days:,} days, recordings of {serve.JOURNAL_S} s"
    tables.show(title, serve.lines(figures), note)
    tables.write(json, {"load": asdict(load), "figures": serve.rows(figures)})


@app.command("cohort")
def cohort_command(
    *,
    corpus: Annotated[
        Path | None, typer.Option(help="Folder of real recordings with a manifest.csv; default: the packaged voices.")
    ] = None,
    patients: Annotated[int, typer.Option(min=2, help="Patients.")] = 24,
    days: Annotated[int, typer.Option(min=40, help="Days of the study.")] = 84,
    seed: Seed = 1,
    json: Json = None,
    quick: Quick = False,
) -> None:
    """Onsets found and false alarms on recorded voices, through the whole pipeline."""
    import tempfile

    from rich.progress import Progress

    from affect_pipeline.bench import cohort, tables

    if quick:
        patients, days = 2, 24
    with tempfile.TemporaryDirectory(prefix="affect-bench-") as home, Progress(transient=True) as bar:
        tasks = {stage: bar.add_task(stage, total=None) for stage in ("simulate", "measure", "score", "monitor")}

        def progress(stage: str, done: int, of: int) -> None:
            if stage in tasks:
                bar.update(tasks[stage], completed=done, total=of)

        found = cohort.run(Path(home), corpus, n_patients=patients, n_days=days, seed=seed, progress=progress)
    row = {"voices": found.truth.source, "days": days} | cohort.score(found).as_dict()
    tables.show(f"{patients} patients over {days} days, each a speaker of the corpus", [row])
    tables.write(json, {"seed": seed, "patients": patients} | row)


@app.command("monitor")
def monitor_command(
    *,
    patients: Annotated[int, typer.Option(min=1000, help="Patients of the large night.")] = 1_000_000,
    seed: Seed = 1,
    json: Json = None,
    quick: Quick = False,
    warehouse: Annotated[bool, typer.Option(help="Also time the stage with its warehouse round trip.")] = True,
) -> None:
    """Time a night of monitoring: array maths, the warehouse round trip, a long past, and river's detectors."""
    from dataclasses import asdict, replace

    from affect_pipeline.bench import monitor, tables

    size = monitor.QUICK if quick else replace(monitor.Size(), n_patients=patients)
    figures = monitor.measure(size, seed, warehouse, lambda step: typer.echo(f"  {step}", err=True))
    tables.show("One night", figures.rows(), figures.note())
    content = {"seed": seed, "size": asdict(size), "rows": figures.rows(), "ratios": figures.ratios()}
    tables.write(json, content)
