"""``affect bench latency``: one live request by PyTorch and by ONNX."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(no_args_is_help=True)


@app.command("latency")
def latency_command(
    *,
    requests: Annotated[int, typer.Option(min=3, help="Requests of each kind.")] = 50,
    model_dir: Annotated[Path | None, typer.Option(help="Model folder; by default the packaged one.")] = None,
    onnx: Annotated[Path | None, typer.Option(help="Its network as ONNX; by default it is written now.")] = None,
    json: Annotated[Path | None, typer.Option("--json", help="Also write the results to this file.")] = None,
    quick: Annotated[bool, typer.Option("--quick", help="Few requests, of a tiny model if none is named.")] = False,
) -> None:
    """Time one live request of 10 s by PyTorch and by ONNX, in turns. Needs the extra `export`."""
    from dataclasses import asdict

    from affect_pipeline.bench import latency, machine, score, tables
    from affect_pipeline.model.encoder import default_model_dir, tiny_encoder

    with score.temporary() as folder:
        model = model_dir or default_model_dir()
        if quick and model_dir is None:
            model = Path(folder) / "tiny"
            tiny_encoder().save(model)
        rows = [asdict(row) for row in latency.compare(model, onnx, Path(folder), 3 if quick else requests, _say)]
    note = "one request at a time; apart is the difference of the probability to PyTorch's, at most 0.02"
    tables.show("One live request of 10 s", rows, note)
    about = {"benchmark": "latency", "seed": 1, "machine": machine.describe(), "note": note}
    tables.write(json, about | {"columns": list(rows[0]), "rows": rows})


def _say(step: str) -> None:
    typer.echo(f"  {step}", err=True)
