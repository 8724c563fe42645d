"""``affect model distill | train | evaluate | card``: how a model comes about and what is known of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

if TYPE_CHECKING:
    from affect_pipeline.model.corpora import Recording
    from affect_pipeline.model.encoder import AffectiveEncoder
    from affect_pipeline.model.training import Asked, TrainedModel

app = typer.Typer(no_args_is_help=True, help="Train, evaluate, compare and promote models.")

CorpusOption = Annotated[
    list[str] | None,
    typer.Option("--corpus", metavar="NAME=DIR", help="A corpus: its name in reports, and its folder. Repeatable."),
]
UnlabelledOption = Annotated[
    list[str] | None,
    typer.Option("--unlabelled", metavar="NAME=DIR", help="Speech whose labels are not used. Repeatable."),
]
WorkOption = Annotated[
    Path, typer.Option("--work", help="Folder for checkpoints, prepared voices and embeddings; kept between runs.")
]


@app.command()
def distill(
    *,
    out: Annotated[Path, typer.Option("--out", help="Folder of the student.")],
    teacher: Annotated[Path, typer.Option("--teacher", help="Encoder folder: Hugging Face, or CTranslate2 Whisper.")],
    corpus: CorpusOption = None,
    work: WorkOption = Path(".affect/distill"),
    steps: Annotated[int, typer.Option(help="Training steps.")] = 3000,
    seed: Annotated[int, typer.Option(help="Seed of everything that is drawn.")] = 7,
    log: Annotated[bool, typer.Option("--mlflow/--no-mlflow", help="Log the losses to MLflow.")] = True,
) -> None:
    """Train a small student to have the states of a teacher's first layers. Goes on where a killed run stopped."""
    from affect_pipeline.model.distill import DistillPlan
    from affect_pipeline.model.distill import distill as run
    from affect_pipeline.model.distill_data import DistillData, load_corpus
    from affect_pipeline.model.teacher import WhisperTeacher, load_teacher

    read = _corpora(corpus)
    opened = load_teacher(teacher)
    with _progress() as bar:
        done = _task(bar, "reading", sum(map(len, read)))
        data = DistillData([load_corpus(r, work / "voices", done) for r in read])
        student = bar.add_task("distilling", total=steps)
        curve: dict[str, list[float]] = {}
        begun: list[int] = []

        def report(step: int, losses: dict[str, float]) -> None:
            begun.append(step)
            for name, value in losses.items():
                curve.setdefault(name, []).append(value)
            words = " ".join(f"{name} {value:.3f}" for name, value in losses.items())
            bar.update(student, completed=step + 1, description=f"distilling, {words}")

        plan = DistillPlan(steps=steps, seed=seed)
        model = run(data, opened, plan, work / "state", report)
    heard = [{"corpus": recordings[0].corpus, "recordings": len(recordings)} for recordings in read]
    began = isinstance(opened, WhisperTeacher)
    about = {"corpora": heard, "teacher": teacher.name, "started_as_teacher": began, "plan": asdict(plan)}
    model.affect = replace(model.affect, training={"encoder": about})
    model.save(out)
    if log:
        from affect_pipeline.model.training_log import log_distillation
        from affect_pipeline.settings import get_settings

        known = {"teacher": teacher.name, **asdict(plan)}
        heard_all = [r for recordings in read for r in recordings]
        run_id = log_distillation(get_settings(), known, heard_all, out, curve, min(begun, default=0))
        Console().print(f"MLflow run {run_id}")
    Console().print(f"student in {out}")


@app.command()
def train(
    *,
    encoder: Annotated[Path, typer.Option("--encoder", help="Model folder whose encoder is used.")],
    out: Annotated[Path, typer.Option("--out", help="Folder of the trained model.")],
    corpus: CorpusOption = None,
    unlabelled: UnlabelledOption = None,
    work: WorkOption = Path(".affect/train"),
    seed: Annotated[int, typer.Option(help="Seed of folds and augmentation.")] = 7,
    calm_weight: Annotated[
        float, typer.Option(min=0, help="Weight of acted calm, beside neutral, in what sadness is told from.")
    ] = 0.1,
    nuisance: Annotated[float, typer.Option(help="Strength of shrinking what should not matter; 0 for none.")] = 0.0,
    encoder_steps: Annotated[
        int, typer.Option(min=0, help="Steps of tuning the encoder itself with labels before; 0 for none.")
    ] = 0,
    bf16: Annotated[bool, typer.Option(help="Tune the encoder in bfloat16, on CPUs that have it.")] = False,
    dp_epsilon: Annotated[
        float | None, typer.Option(min=0.01, help="Fit the heads with differential privacy: what a speaker may lose.")
    ] = None,
    dp_delta: Annotated[float, typer.Option(min=1e-12, max=0.1, help="Below one in the number of speakers.")] = 1e-5,
    at_most: Annotated[
        list[str] | None,
        typer.Option("--at-most", metavar="[NAME=]N", help="Draw N labelled recordings of a corpus by the seed."),
    ] = None,
    modalities: Annotated[
        str, typer.Option(help="Of depression corpora: voice, and with commas face (OpenFace) and timing (transcript).")
    ] = "voice",
    challenger: Annotated[
        bool, typer.Option("--challenger/--no-challenger", help="Measure the model, register it as challenger.")
    ] = False,
    log: Annotated[bool, typer.Option("--mlflow/--no-mlflow", help="Log the training to MLflow.")] = True,
) -> None:
    """Fit the heads for depression, valence, arousal and emotions, with speaker-independent folds.

    With --encoder-steps the encoder is tuned first; figures are then of speakers that it never met. Corpora with
    questionnaires (daic-woz=DIR, e-daic=DIR) replace the depression head by their official parts; other heads are kept.
    With --dp-epsilon the heads are fitted by DP-SGD, and no figure is measured on the recordings.
    """
    if dp_epsilon is not None:
        if at_most or challenger or modalities != "voice":
            raise typer.BadParameter("--dp-epsilon goes with none of --at-most, --modalities and --challenger")
        _train_privately(encoder, out, corpus, work, (dp_epsilon, dp_delta, seed), encoder_steps, unlabelled, log)
        return
    from affect_pipeline.model.depression.experts import DepressionPlan
    from affect_pipeline.model.encoder import AffectiveEncoder
    from affect_pipeline.model.heads import HeadPlan
    from affect_pipeline.model.train import TrainPlan, drop_labels
    from affect_pipeline.model.training import Asked, train_model

    corpora = [*_corpora(corpus), *(drop_labels(r) for r in _corpora(unlabelled, needed=False))]
    heads = HeadPlan(nuisance_strength=nuisance, calm_weight=calm_weight, seed=seed)
    asked = Asked(
        TrainPlan(heads=heads, seed=seed, at_most=_counts(at_most, [c[0].corpus for c in corpora])),
        DepressionPlan(modalities=tuple(modalities.split(",")), seed=seed),
    )
    start, curve = None, dict[str, list[float]]()
    with _progress() as bar:
        if encoder_steps:
            loaded = AffectiveEncoder.load(encoder)
            start, curve = _tune_encoder(loaded, corpora, encoder_steps, seed, bf16, work, bar)
        trained = train_model(encoder, corpora, asked, work, _task(bar, "embedding", None), start)
    trained.save(out)
    _report(trained, asked, curve, out, log)
    if challenger:
        _register_challenger(out, corpora, work)
    Console().print(f"model in {out}")


def _train_privately(
    encoder: Path,
    out: Path,
    corpus: list[str] | None,
    work: Path,
    price: tuple[float, float, int],
    encoder_steps: int,
    unlabelled: list[str] | None,
    log: bool,
) -> None:
    from affect_pipeline.errors import SettingsError
    from affect_pipeline.model.encoder import AffectiveEncoder
    from affect_pipeline.model.private_heads import PrivatePlan
    from affect_pipeline.model.private_train import log_private_training, train_privately

    if encoder_steps or unlabelled:
        raise SettingsError("--dp-epsilon fits heads on labels alone: leave out --encoder-steps and --unlabelled")
    plan = PrivatePlan(epsilon=price[0], delta=price[1], seed=price[2])
    with _progress() as bar:
        loaded = AffectiveEncoder.load(encoder)
        trained = train_privately(loaded, _corpora(corpus), plan, work=work, done=_task(bar, "embedding", None))
    trained.encoder.save(out)
    Console().print(f"epsilon {trained.heads.epsilon:.3f} at delta {trained.heads.delta:g} a speaker", highlight=False)
    if log:
        from affect_pipeline.settings import get_settings

        Console().print(f"MLflow run {log_private_training(get_settings(), trained, out)}")
    Console().print(f"model in {out}")


def _report(trained: TrainedModel, asked: Asked, curve: dict[str, list[float]], out: Path, log: bool) -> None:
    """Print what a training measured, and keep it in MLflow."""
    from affect_pipeline.model.depression.report import log_depression, participant_table
    from affect_pipeline.model.evaluate import held_out_figures
    from affect_pipeline.model.training_log import log_training
    from affect_pipeline.settings import get_settings

    runs = []
    if (acted := trained.acted) is not None:
        rows = held_out_figures(acted.recordings, acted.logits)
        _print_figures(rows)
        if log:
            runs.append(log_training(get_settings(), acted, asked.heads, rows, out, curve))
    if trained.clinical is not None:
        Console(width=190).print(participant_table(trained.clinical.figures))
        if log:
            runs.append(log_depression(get_settings(), trained.clinical, out))
    for run_id in runs:
        Console().print(f"MLflow run {run_id}")


def _register_challenger(folder: Path, corpora: Sequence[Sequence[Recording]], work: Path) -> None:
    from affect_pipeline.model.workflow import measure, register_challenger
    from affect_pipeline.settings import get_settings

    measure(folder, corpora, work)
    version = register_challenger(get_settings(), folder)
    Console().print(f"challenger: {version.name} version {version.version} ({version.digest[:12]})", highlight=False)


def _counts(texts: Sequence[str] | None, corpora: Sequence[str]) -> dict[str, int]:
    """Read ``NAME=N`` texts, or ``N`` for every corpus."""
    from affect_pipeline.errors import CorpusError

    found: dict[str, int] = {}
    for text in texts or []:
        name, _, number = text.rpartition("=")
        if not number.isdigit() or (name and name not in corpora):
            raise CorpusError(f"--at-most {text!r} is not N or NAME=N with NAME one of {', '.join(corpora)}")
        found |= {one: int(number) for one in ([name] if name else corpora)}
    return found


def _tune_encoder(
    encoder: AffectiveEncoder,
    corpora: Sequence[Sequence[Recording]],
    steps: int,
    seed: int,
    bf16: bool,
    work: Path,
    bar: Progress,
) -> tuple[AffectiveEncoder, dict[str, list[float]]]:
    from affect_pipeline.model.fine_tune import FineTunePlan, fine_tune

    task = bar.add_task("tuning", total=steps)

    def report(step: int, losses: dict[str, float]) -> None:
        bar.update(task, completed=step + 1, description=f"tuning, loss {losses['total']:.3f}")

    plan = FineTunePlan(steps=steps, seed=seed, bf16=bf16)
    tuned = fine_tune(encoder, corpora, plan, work, report, _task(bar, "reading", None))
    return tuned.encoder, tuned.curve


@app.command()
def evaluate(
    *,
    corpus: CorpusOption = None,
    model: Annotated[Path | None, typer.Option("--model", help="Model folder. Default: the packaged model.")] = None,
    unlabelled: UnlabelledOption = None,
    references: Annotated[bool, typer.Option(help="Also run eGeMAPS (needs openSMILE) and the teacher.")] = True,
    teacher: Annotated[Path | None, typer.Option("--teacher", help="Teacher folder, for its reference.")] = None,
    json_file: Annotated[Path | None, typer.Option("--json", help="Write everything to this file.")] = None,
    work: WorkOption = Path(".affect/evaluate"),
) -> None:
    """Print figures of a model beside references, its calibration, errors, size and speed."""
    import json

    from affect_pipeline.model.encoder import default_model_dir
    from affect_pipeline.model.evaluate_report import Request, evaluate_model, group_table

    folder = model or default_model_dir()
    asked = Request(folder, _corpora(corpus), _corpora(unlabelled, needed=False), references, teacher, work)
    with _progress() as bar:
        report = evaluate_model(asked, _task(bar, "recordings", None))
    _print_figures(report.figures)
    Console(width=130).print(group_table(report.by_group))
    if report.participants:
        from affect_pipeline.model.depression.report import participant_table

        Console(width=190).print(participant_table(report.participants))
    for name, value in report.facts().items():
        Console().print(f"{name}: {value}", highlight=False)
    if json_file is not None:
        json_file.write_text(json.dumps(report.as_json(), indent=1, sort_keys=True, allow_nan=False) + "\n")
        Console().print(f"written to {json_file}")


@app.command()
def card(
    model: Annotated[Path | None, typer.Option("--model", help="Model folder. Default: the packaged model.")] = None,
    out: Annotated[Path, typer.Option("--out", help="Markdown file to write.")] = Path("docs/model-card.md"),
) -> None:
    """Write the model card from the model's configuration and its evaluation."""
    from affect_pipeline.model.card import model_card
    from affect_pipeline.model.encoder import default_model_dir

    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(model_card(model or default_model_dir()))
    Console().print(f"written to {out}")


def _corpora(pairs: Sequence[str] | None, needed: bool = True) -> list[list[Recording]]:
    from affect_pipeline.errors import CorpusError
    from affect_pipeline.model.corpora import read_corpus

    if needed and not pairs:
        raise CorpusError("name at least one corpus: --corpus NAME=DIR")
    found = []
    for pair in pairs or []:
        name, separator, folder = pair.partition("=")
        if not separator:
            raise CorpusError(f"--corpus {pair!r} is not NAME=DIR")
        found.append(read_corpus(Path(folder), name=name))
    return found


@contextmanager
def _progress() -> Iterator[Progress]:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True)) as bar:
        yield bar


def _task(bar: Progress, name: str, total: int | None) -> Callable[[], None]:
    task = bar.add_task(name, total=total)
    return lambda: bar.advance(task)


def _print_figures(rows: Sequence[object]) -> None:
    from affect_pipeline.model.evaluate_report import figure_table

    Console(width=130).print(figure_table(rows))
