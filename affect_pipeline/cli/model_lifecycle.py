"""``affect model``: register, import, verify, compare, promote and roll back models."""

from __future__ import annotations

from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table

if TYPE_CHECKING:
    from affect_pipeline.model.lookup import ModelVersion
    from affect_pipeline.model.shadow import Comparison
    from affect_pipeline.settings import Settings

app = typer.Typer(no_args_is_help=True, help="The affect model: train, evaluate, register, compare, promote.")
out = Console()

Which = Annotated[str, typer.Argument(help="Version number, alias, or the beginning of its digest.")]
Since = Annotated[
    datetime | None,
    typer.Option(formats=["%Y-%m-%d"], help="First local day. By default, where the champion's baselines begin."),
]


def _settings() -> Settings:
    from affect_pipeline.settings import get_settings

    return get_settings()


@app.command()
def register(
    folder: Annotated[Path | None, typer.Argument(help="Model folder; by default the packaged model.")] = None,
    alias: Annotated[str | None, typer.Option(help="Alias to give it: `challenger`, or the first `champion`.")] = None,
) -> None:
    """Register a model folder in MLflow. The same folder registered again keeps its version."""
    from affect_pipeline.errors import ModelError
    from affect_pipeline.model.lookup import find_alias
    from affect_pipeline.model.registry import CHAMPION
    from affect_pipeline.model.registry import register as register_model

    settings = _settings()
    champion = find_alias(settings, CHAMPION) if alias == CHAMPION else None
    version = register_model(settings, folder, None if champion else alias)
    if champion is not None and champion.digest != version.digest:
        raise ModelError(
            f"version {champion.version} is the champion already; this model is registered as version "
            f"{version.version}: make it the champion with `affect model promote {version.version}`"
        )
    out.print(f"{_name(version)}{f', alias {alias}' if alias else ''}", highlight=False)


@app.command(name="list")
def list_() -> None:
    """List the registered versions."""
    from affect_pipeline.model.registry import list_versions

    table = Table("version", "aliases", "digest", "registered", box=None)
    for one in list_versions(_settings()):
        when = one.version.registered_at.strftime("%Y-%m-%d %H:%M UTC")
        table.add_row(str(one.version.version), ", ".join(one.aliases), one.version.digest[:16], when)
    out.print(table)


@app.command()
def verify(
    which: Annotated[
        str, typer.Argument(help="A model folder, or a registered version, alias or digest.")
    ] = "champion",
) -> None:
    """Check that a model is what was registered: digest, files, architecture, and that it loads and scores."""
    import numpy as np

    from affect_pipeline.model.provenance import verify_folder
    from affect_pipeline.model.registry import fetch, find_version
    from affect_pipeline.model.scorer import Scorer

    if Path(which).is_dir():
        folder, digest = Path(which), verify_folder(Path(which))
    else:
        settings = _settings()
        version = find_version(settings, which).version
        folder, digest = fetch(settings, version), version.digest
    scorer = Scorer(folder, device="cpu")
    scorer.score([np.zeros(scorer.affect.sampling_rate_hz, dtype=np.int16)])
    out.print(f"[green]fine[/]: {scorer.affect.name}, digest {digest}", highlight=False)


@app.command(name="new-key")
def new_key(
    private_file: Annotated[Path, typer.Argument(help="File to write the private key to; keep it off this machine.")],
) -> None:
    """Make a key pair for signing models."""
    from affect_pipeline.model.signing import new_key as make_key

    out.print(f"private key: {private_file}\nAFFECT_MODEL_PUBLIC_KEY_FILE={make_key(private_file)}", highlight=False)


@app.command()
def sign(
    which: Which,
    key: Annotated[Path, typer.Option(help="Private key, PEM; see new-key.", exists=True)],
) -> None:
    """Vouch for a registered version; with AFFECT_MODEL_PUBLIC_KEY_FILE set, others are refused."""
    from affect_pipeline.model.signing import sign as sign_version

    settings = _settings()
    version = _version(settings, which)
    sign_version(settings, version, key)
    out.print(f"signed: {_name(version)}", highlight=False)


@app.command(name="import")
def import_(
    source: Annotated[Path, typer.Argument(help="Local Hugging Face folder of a Wav2Vec 2.0, safetensors only.")],
    target: Annotated[Path, typer.Argument(help="Model folder to write.")],
    name: Annotated[str | None, typer.Option(help="Name of the model; by default that of the folder.")] = None,
    corpus: Annotated[
        list[str] | None, typer.Option(metavar="NAME=DIR", help="Labelled corpus to fit its heads on. Repeatable.")
    ] = None,
) -> None:
    """Make a model folder of any Wav2Vec 2.0 (base, large); its affect heads are fitted on --corpus."""
    from tempfile import TemporaryDirectory

    from affect_pipeline.model.importing import import_wav2vec2
    from affect_pipeline.model.workflow import Corpora, fit_heads, training_work

    corpora = Corpora.parse(corpus or [])
    if not corpora.folders:
        affect = import_wav2vec2(source, target, name)
        out.print(f"{target}: {affect.name}, pooled layers {affect.pooled_layers}", highlight=False)
        out.print(
            "Its heads are not fitted: every score is neutral and the gate will not let it become champion. "
            "Import it with --corpus NAME=DIR, or use `affect model train`; then run `affect model evaluate`.",
            highlight=False,
        )
        return
    with TemporaryDirectory() as scratch:
        affect = import_wav2vec2(source, Path(scratch) / "imported", name or source.resolve().name)
        out.print(f"fitting the heads of {affect.name} on {', '.join(corpora.folders)}", highlight=False)
        fit_heads(Path(scratch) / "imported", target, corpora, training_work(_settings()))
    out.print(f"{target}: measure it with `affect model evaluate --model {target}`", highlight=False)


@app.command()
def rescore(which: Which, since: Since = None) -> None:
    """Score the history that baselines need with a version; goes on where it was stopped."""
    settings = _settings()
    _rescore(settings, _version(settings, which), _first_day(settings, since))


@app.command()
def compare(
    challenger: Annotated[str, typer.Argument(help="Version, alias or digest to compare with the champion.")],
    since: Since = None,
    score_missing: Annotated[bool, typer.Option("--score/--no-score", help="Shadow-score journals first.")] = True,
    json_file: Annotated[Path | None, typer.Option("--json", help="Also write the figures as JSON.")] = None,
) -> None:
    """Compare a version's scores with the champion's on the same journals."""
    from affect_pipeline.files import write_json
    from affect_pipeline.model.registry import CHAMPION
    from affect_pipeline.model.shadow import compare as compare_scores
    from affect_pipeline.warehouse.engine import connect

    settings = _settings()
    champion, other = _version(settings, CHAMPION), _version(settings, challenger)
    first = _first_day(settings, since)
    if score_missing:
        _rescore(settings, other, first)
    with connect(settings).connect() as connection:
        comparison = compare_scores(connection, champion.digest, other.digest, first)
    if json_file is not None:
        write_json(comparison.as_dict(), json_file)
    out.print(f"{_name(other)} against {_name(champion)}, from {first}", highlight=False)
    out.print(_table(comparison))


@app.command()
def promote(
    which: Which = "challenger",
    score_missing: Annotated[bool, typer.Option("--rescore/--no-rescore", help="Score the history first.")] = True,
) -> None:
    """Make a version the champion, once it has scored the history that baselines need."""
    from affect_pipeline.model.lifecycle import check_gate, history_needed
    from affect_pipeline.model.lifecycle import promote as promote_version
    from affect_pipeline.model.lookup import find_alias
    from affect_pipeline.model.registry import CHAMPION, find_version

    settings = _settings()
    champion = find_alias(settings, CHAMPION)
    if champion is not None and score_missing:
        candidate = find_version(settings, which)
        check_gate(candidate.metrics, find_version(settings, CHAMPION).metrics)
        _rescore(settings, candidate.version, history_needed(settings, champion))
    _say(promote_version(settings, which).champion)


@app.command()
def rollback(
    score_missing: Annotated[
        bool, typer.Option("--rescore/--no-rescore", help="Score with the earlier champion what came since.")
    ] = True,
) -> None:
    """Make the version before the champion the champion again."""
    from affect_pipeline.model.lifecycle import earlier_champion, history_needed
    from affect_pipeline.model.lifecycle import rollback as roll_back

    settings = _settings()
    if score_missing:
        champion, earlier = earlier_champion(settings)
        _rescore(settings, earlier, history_needed(settings, champion))
    _say(roll_back(settings).champion)


def _version(settings: Settings, which: str) -> ModelVersion:
    from affect_pipeline.model.registry import find_version

    return find_version(settings, which).version


def _first_day(settings: Settings, since: datetime | None) -> date:
    from affect_pipeline.model.lifecycle import history_needed
    from affect_pipeline.model.registry import CHAMPION

    if since is not None:
        return since.date()
    return history_needed(settings, _version(settings, CHAMPION)) or date.min


def _rescore(settings: Settings, version: ModelVersion, since: date | None) -> None:
    from rich.progress import Progress

    from affect_pipeline.model.registry import ResolvedModel, fetch
    from affect_pipeline.model.shadow import history_scored, rescore
    from affect_pipeline.warehouse.engine import connect

    if since is None:
        return
    with connect(settings).connect() as connection:
        missing = history_scored(connection, version.digest, since).n_missing
    if not missing:
        return
    model = ResolvedModel(version, fetch(settings, version))
    with Progress(console=out, transient=True) as bars:
        bar = bars.add_task(f"scoring history with version {version.version}", total=missing)
        result = rescore(settings, model, since, progress=lambda count: bars.advance(bar, count))
    gone = f", {result.n_without_audio} have no recording any more" if result.n_without_audio else ""
    out.print(f"{result.n_scored} journals scored with version {version.version}{gone}", highlight=False)


def _table(comparison: Comparison) -> Table:
    title = f"{comparison.n_journals} journals of {comparison.n_patients} patients scored by both"
    table = Table("score", "r", "r within patients", "mean change", "95 % limits", "largest", title=title, box=None)
    for row in comparison.agreements:
        low, high = row.limits
        table.add_row(
            row.score,
            f"{row.correlation:.3f}",
            f"{row.correlation_within:.3f}",
            f"{row.mean_difference:+.3f}",
            f"{low:+.3f} to {high:+.3f}",
            f"{row.max_difference:.3f}",
        )
    return table


def _say(champion: ModelVersion) -> None:
    out.print(f"champion: {_name(champion)}", highlight=False)


def _name(version: ModelVersion) -> str:
    return f"{version.name} version {version.version} ({version.digest[:12]})"
