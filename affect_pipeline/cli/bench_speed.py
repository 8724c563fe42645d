"""``affect bench score|measure|night|warehouse``: how fast the stages are, beside their peers in the same run."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

app = typer.Typer(no_args_is_help=True)

Seed = Annotated[int, typer.Option(help="Same seed, same journals.")]
Json = Annotated[Path | None, typer.Option("--json", help="Also write the results to this file.")]
Quick = Annotated[bool, typer.Option("--quick", help="A small size that takes seconds, for tests.")]


def _say(step: str) -> None:
    typer.echo(f"  {step}", err=True)


def _write(path: Path | None, benchmark: str, seed: int, note: str, found: dict[str, Any]) -> None:
    """Write the tables that were found, in which order their columns stand, and what they were made on."""
    from affect_pipeline.bench import machine, tables

    columns = dict.fromkeys(name for rows in found.values() if isinstance(rows, list) for row in rows for name in row)
    about = {"benchmark": benchmark, "seed": seed, "machine": machine.describe(), "note": note}
    tables.write(path, about | {"columns": list(columns)} | found)


@app.command("score")
def score_command(
    *,
    journals: Annotated[int, typer.Option(min=2, help="Journals of 5 to 60 s for the default model.")] = 200,
    base_journals: Annotated[int, typer.Option(min=0, help="For a model of wav2vec2-base's size; 0: without.")] = 16,
    seed: Seed = 1,
    json: Json = None,
    quick: Quick = False,
) -> None:
    """Time the scorer against transformers' audio-classification pipeline and a plain matrix product."""
    from affect_pipeline.bench import score, tables

    with score.temporary() as folder:
        workspace = Path(folder)
        chosen = score.quick_contests(workspace) if quick else score.contests(workspace, journals, base_journals)
        found = score.run(chosen, seed, _say, product_size=256 if quick else 2048)
    peaks = ", ".join(f"{rate:,.0f} GFLOP/s in {name}" for name, rate in found["matmul_gflops"].items())
    moved = ", ".join(f"{shift:.4f} ({name})" for name, shift in found["bfloat16_moves_probability"].items())
    note = f"plain matrix product: {peaks}; bfloat16 moves a depression probability by at most {moved}"
    tables.show("Scoring journals of 5 to 60 s", found["rows"], note)
    _write(json, "score", seed, note, found)


@app.command("measure")
def measure_command(
    *,
    journals: Annotated[int, typer.Option(min=1, help="Journals of 20 s.")] = 100,
    slow_journals: Annotated[int, typer.Option(min=1, help="How many of them the references take.")] = 12,
    seed: Seed = 1,
    json: Json = None,
    quick: Quick = False,
) -> None:
    """Compare the cost of the measure stage on one core with librosa alone and with openSMILE."""
    from dataclasses import asdict

    from affect_pipeline.bench import measuring, score, tables

    n, n_slow = (3, 1) if quick else (journals, slow_journals)
    with score.temporary() as folder:
        paths = measuring.write_journals(Path(folder), n, seed)
        rows = [asdict(row) for row in measuring.compare(paths, n_slow)]
    note = "seconds of one core; times_faster_here is the cost of the reference against that of the measure stage"
    tables.show("Measuring journals of 20 s", rows, note)
    _write(json, "measure", seed, note, {"rows": rows})


@app.command("night")
def night_command(
    *,
    journals: Annotated[int, typer.Option(min=40, help="Journals of 20 s in the larger night.")] = 1000,
    airflow: Annotated[bool, typer.Option(help="Also run a night of 16 shards through Airflow.")] = True,
    seed: Seed = 1,
    json: Json = None,
    quick: Quick = False,
) -> None:
    """Run whole nights in one process, one four times the other: time of each stage, real-time factor, memory."""
    from dataclasses import asdict

    from affect_pipeline.bench import night, overhead, score, tables

    sizes, seconds = ((12,), 6.0) if quick else ((journals // 4, journals), night.JOURNAL_S)
    rows = []
    with score.temporary() as folder:
        model = score.quick_contests(Path(folder))[0].folder if quick else None
        for size in sizes:
            row = night.run(
                Path(folder) / str(size), size, seed, seconds=seconds, model=model, say=_say, apart=not quick
            )
            rows.append(asdict(row))
        through = [asdict(overhead.measure(Path(folder) / "both", seed, say=_say))] if airflow and not quick else []
    note = "memory of the pipeline's process and PostgreSQL together; to be above 60 times real time and under 4 GiB"
    tables.show(f"Whole nights, journals of {seconds:.0f} s", rows, note)
    if through:
        tables.show(
            "A night of small shards through Airflow", through, "overhead: what is not stage work; at most 25 s"
        )
    _write(json, "night", seed, note, {"rows": rows, "airflow": through})


@app.command("warehouse")
def warehouse_command(
    *,
    scores: Annotated[int, typer.Option(min=1, help="Scores to load.")] = 1_000_000,
    journals: Annotated[int, typer.Option(min=1, help="Journals to validate.")] = 100_000,
    seed: Seed = 1,
    json: Json = None,
    quick: Quick = False,
) -> None:
    """Time the bulk load of scores against psql's COPY, and Great Expectations on many journals."""
    from dataclasses import asdict

    from affect_pipeline.bench import bulk, score, tables
    from affect_pipeline.settings import Settings
    from affect_pipeline.warehouse.embedded import stop
    from affect_pipeline.warehouse.engine import connect
    from affect_pipeline.warehouse.migrate import migrate

    n_scores, n_journals = (2_000, 500) if quick else (scores, journals)
    with score.temporary() as folder:
        home = Path(folder) / "home"
        settings = Settings(home=home, landing_url="", warehouse_url="", mlflow_uri="", pseudonym_secret_file=None)
        try:
            migrate(connect(settings))
            _say("loading scores")
            rows = bulk.load_scores(settings, n_scores, seed, Path(folder), 1 if quick else 3)
        finally:
            stop(settings)
    _say("validating journals")
    rows.append(bulk.validate_journals(n_journals, seed))
    shown = [asdict(row) for row in rows]
    note = "a target bounds times_reference from above, or, where there is no reference, seconds"
    tables.show("Bulk work of a large night", shown, note)
    _write(json, "warehouse", seed, note, {"rows": shown})


@app.command("page")
def page_command(
    folder: Annotated[Path, typer.Option(help="Folder of the JSON files that benchmarks wrote.")] = Path("benchmarks"),
    docs: Annotated[Path, typer.Option(help="Folder of the documentation.")] = Path("docs"),
) -> None:
    """Write the page of benchmarks, and the plan in the page on scaling, from the JSON files in a folder."""
    from affect_pipeline import files
    from affect_pipeline.bench.page import page, with_plan
    from affect_pipeline.bench.plan import Assumptions, section

    scaling = docs / "scaling.md"
    files.write_text(page(folder), docs / "benchmarks.md")
    files.write_text(with_plan(scaling.read_text(), section(folder, Assumptions())), scaling)
    typer.echo(f"wrote {docs / 'benchmarks.md'} and the plan in {scaling}")


@app.command("cluster")
def cluster_command(
    *,
    journals: Annotated[int, typer.Option(min=8, help="Journals of 20 s in each night.")] = 1600,
    compose: Annotated[Path, typer.Option(help="The compose file.")] = Path("docker/compose.yaml"),
    seed: Seed = 1,
    json: Json = None,
    quick: Quick = False,
) -> None:
    """Time the measure stage on one Celery worker and on two. Needs redis-server and the extra `celery`."""
    from affect_pipeline.bench import cluster, score, tables

    with score.temporary() as folder:
        found = cluster.compare(Path(folder), compose, 16 if quick else journals, seed, _say)
    note = (
        "twice the workers are to be worth 1.8 times; everything shares the cores of this machine; workers_busy is the "
        "share of the time in which a worker had a task, and core_s the core-seconds that were taken meanwhile"
    )
    tables.show("Workers", found["rows"], note)
    tables.show("Core-seconds of each service during the measure stage", found["services"])
    _write(json, "cluster", seed, note, found)


@app.command("plan")
def plan_command(
    patients: Annotated[int, typer.Option(min=1, help="Patients of the service.")] = 1_000_000,
    journal_s: Annotated[float, typer.Option(min=1, help="Mean length of a journal, in seconds.")] = 30.0,
    window_h: Annotated[float, typer.Option(min=0.1, help="Hours that a night may take.")] = 4.0,
    folder: Annotated[Path, typer.Option(help="Folder with night.json of `affect bench night`.")] = Path("benchmarks"),
) -> None:
    """Print a worked plan for a large service: cores, GPUs, storage and money, from a measured night."""
    from affect_pipeline.bench.plan import Assumptions, section

    typer.echo(section(folder, Assumptions(patients=patients, journal_s=journal_s, window_h=window_h)), nl=False)
