"""``affect model export``: a model's network for other runtimes."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

app = typer.Typer(no_args_is_help=True)


@app.command()
def export(
    *,
    onnx: Annotated[bool, typer.Option("--onnx", help="Write ONNX; needs the extra `export`.")] = False,
    model: Annotated[Path | None, typer.Option("--model", help="Model folder. Default: the champion.")] = None,
    file: Annotated[
        Path | None, typer.Option("--out", help="File to write. Default: where `affect serve` looks for it.")
    ] = None,
    key: Annotated[Path | None, typer.Option("--key", help="Private key (PEM) that signs it.")] = None,
) -> None:
    """Write the network as ONNX after holding it against PyTorch; its digest goes beside it."""
    from affect_pipeline.errors import SettingsError
    from affect_pipeline.model.encoder import folder_digest
    from affect_pipeline.model.onnx_network import beside, export_onnx, usual_file
    from affect_pipeline.serving.models import champion_folder
    from affect_pipeline.settings import get_settings

    if not onnx:
        raise SettingsError("name what to write: --onnx")
    settings = get_settings()
    folder = model or champion_folder(settings)
    target = file or usual_file(settings, folder_digest(folder))
    known = export_onnx(folder, target, key)
    out = Console(highlight=False, soft_wrap=True)
    out.print(f"model {known.model_digest[:12]}: at most {known.worst_difference:.1e} from PyTorch in any output")
    out.print(f"SHA-256 {known.sha256}{', signed' if known.signature else ''}, in {beside(target)}")
    out.print(f"written to {target}")
