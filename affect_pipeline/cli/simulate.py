"""``affect simulate``: a cohort of voice journals with known onsets."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer()


@app.command()
def simulate(
    *,
    patients: Annotated[int, typer.Option(min=1, help="Number of patients.")] = 12,
    days: Annotated[int, typer.Option(min=1, help="Days of the study; as many nights of arrival.")] = 50,
    seed: Annotated[int, typer.Option(min=0, help="The same seed gives the same files.")] = 1,
    corpus: Annotated[
        Path | None,
        typer.Option(help="Folder of real recordings with a manifest.csv. Default: the packaged synthesised voices."),
    ] = None,
    landing: Annotated[str, typer.Option(help="Landing zone, any fsspec URL. Default: AFFECT_LANDING_URL.")] = "",
    truth: Annotated[Path | None, typer.Option(help="Where the truth goes. Default: <home>/truth.json.")] = None,
    start: Annotated[
        datetime | None, typer.Option(formats=["%Y-%m-%d"], help="First night. Default: 2026-01-05.")
    ] = None,
) -> None:
    """Write a cohort of voice journals with known onsets into a landing zone."""
    from rich.console import Console
    from rich.progress import Progress

    from affect_pipeline.settings import get_settings
    from affect_pipeline.simulate.cohort import DEFAULT_START
    from affect_pipeline.simulate.run import simulate as run

    settings = get_settings()
    landing_url, truth_path = landing or settings.landing, truth or settings.home / "truth.json"
    console = Console()
    with Progress(console=console) as bar:
        task = bar.add_task("Recording journals", total=None)
        made = run(
            n_patients=patients,
            n_days=days,
            seed=seed,
            landing_url=landing_url,
            truth_path=truth_path,
            corpus=corpus,
            start=start.date() if start else DEFAULT_START,
            progress=lambda done, of: bar.update(task, completed=done, total=of),
        )
    console.print(
        f"{made.delivered.n_journals} journals by {len(made.plan.patients)} patients, nights "
        f"{made.plan.nights.first} to {made.plan.nights.last}, {made.delivered.n_bytes / 1e6:.0f} MB "
        f"in {made.delivered.n_files} files",
        highlight=False,
    )
    console.print(f"Landing zone: {landing_url}\nTruth: {truth_path}", highlight=False, soft_wrap=True)
