"""The steps of the DAG ``model_training``, each a function of names and settings.

Between steps go folders, version numbers and counts, never data; every step may be run again.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from affect_pipeline.errors import CorpusError, ModelError
from affect_pipeline.files import atomic_folder, write_json
from affect_pipeline.model.encoder import METRICS_FILE, copy_model, read_metrics
from affect_pipeline.model.lifecycle import Promotion, check_gate, history_needed
from affect_pipeline.model.lifecycle import promote as promote_version
from affect_pipeline.model.lookup import ModelVersion, find_alias
from affect_pipeline.model.provenance import verify_folder
from affect_pipeline.model.registry import (
    CHALLENGER,
    CHAMPION,
    ResolvedModel,
    fetch,
    find_version,
    register,
    resolve,
    set_alias,
)
from affect_pipeline.model.shadow import (
    Comparison,
    RescoreResult,
    compare,
    history_scored,
    rescore,
)
from affect_pipeline.model.summary import finite, flat_numbers
from affect_pipeline.settings import Settings
from affect_pipeline.warehouse.engine import connect
from affect_pipeline.warehouse.queries import sql

if TYPE_CHECKING:
    from affect_pipeline.model.corpora import Recording


@dataclass(frozen=True)
class Corpora:
    """Named corpus folders, as the DAG's parameters and the command line write them.

    Parameters
    ----------
    folders : dict of str to Path
        Folder of each corpus.
    """

    folders: dict[str, Path]

    @classmethod
    def parse(cls, texts: list[str]) -> Corpora:
        """Read ``NAME=FOLDER`` texts.

        Raises
        ------
        CorpusError
            If a text is not of that form, or a folder does not exist.
        """
        folders = {}
        for text in texts:
            name, separator, folder = text.partition("=")
            if not (separator and name and folder):
                raise CorpusError(f"{text!r} does not name a corpus; write NAME=FOLDER")
            if not Path(folder).is_dir():
                raise CorpusError(f"corpus {name}: {folder} is not a folder")
            folders[name] = Path(folder)
        return cls(folders)


def candidate_folder(settings: Settings, run_id: str) -> Path:
    """Return where a run keeps its candidate; a run's id may hold characters that a path may not."""
    return settings.home / "training" / hashlib.sha256(run_id.encode()).hexdigest()[:16]


def training_work(settings: Settings) -> Path:
    """Return the folder that keeps embeddings between trainings."""
    return settings.home / "training" / "work"


def train_candidate(settings: Settings, run_id: str, corpora: Corpora, given: str | None = None) -> Path:
    """Return the folder of a candidate: heads fitted anew on the champion's encoder, or a model made elsewhere.

    Parameters
    ----------
    settings : Settings
        The installation.
    run_id : str
        The run; running again finds what is done already.
    corpora : Corpora
        Labelled recordings to fit on.
    given : str, optional
        A model folder that was trained elsewhere, on a GPU for instance; nothing is fitted then.

    Raises
    ------
    CorpusError
        If there is neither a corpus nor a folder.
    ModelError
        If the given folder is refused.
    """
    target = candidate_folder(settings, run_id) / "model"
    if target.exists():
        verify_folder(target)
        return target
    if given:
        verify_folder(Path(given))
        with atomic_folder(target) as temporary:
            copy_model(Path(given), temporary)
        return target
    if not corpora.folders:
        raise CorpusError("give corpora (NAME=FOLDER) to train on, or the folder of a model trained elsewhere")
    fit_heads(resolve(settings, CHAMPION).folder, target, corpora, training_work(settings))
    return target


def fit_heads(source: Path, target: Path, corpora: Corpora, work: Path) -> None:
    """Fit new heads on a model's encoder and write the result as a model folder.

    Interviews with questionnaires teach the depression head, see `affect_pipeline.model.depression.train`.

    Parameters
    ----------
    source : Path
        A model folder, for instance an imported one.
    target : Path
        The folder to write.
    corpora : Corpora
        Recordings to fit on, speaker by speaker; those for testing only are passed over.
    work : Path
        Keeps embeddings between runs.
    """
    from affect_pipeline.model.corpora import TESTING_ONLY, read_corpus
    from affect_pipeline.model.training import Asked, train_model

    # The gate may ask for figures on a corpus that is for testing only: it is given like others and teaches nobody.
    teaching = {name: folder for name, folder in corpora.folders.items() if name not in TESTING_ONLY}
    recordings = [read_corpus(folder, name=name) for name, folder in teaching.items()]
    trained = train_model(source, recordings, Asked(), work)
    with atomic_folder(target) as temporary:
        trained.save(temporary)


def register_challenger(settings: Settings, folder: Path) -> ModelVersion:
    """Register a candidate as challenger, if its gate metrics are not worse than the champion's.

    Raises
    ------
    GateFailed
        If they are.
    """
    version = register(settings, folder)
    if find_alias(settings, CHAMPION) is not None:
        check_gate(find_version(settings, str(version.version)).metrics, find_version(settings, CHAMPION).metrics)
    set_alias(settings, CHALLENGER, version)
    return version


def recent_start(settings: Settings, days: int) -> date | None:
    """Return the first of the last `days` days with journals; None if there are none."""
    with connect(settings).connect() as connection:
        last: date | None = connection.execute(sa.text(sql("select_last_day"))).scalar_one()
    return None if last is None else last - timedelta(days=days - 1)


def shadow_score(settings: Settings, which: str, days: int) -> RescoreResult:
    """Score the journals of the last days with a version beside the champion, and with the champion where it did not.

    Parameters
    ----------
    settings : Settings
        The installation.
    which : str
        The version.
    days : int
        Days back from the last journal.
    """
    since = recent_start(settings, days)
    if since is None:
        return RescoreResult(0, 0)
    results = [rescore(settings, _resolved(settings, one), since) for one in (which, CHAMPION)]
    return results[0] + results[1]


def compare_recent(settings: Settings, which: str, days: int) -> Comparison:
    """Compare a version with the champion on the journals of the last days."""
    champion, challenger = find_version(settings, CHAMPION).version, find_version(settings, which).version
    since = recent_start(settings, days) or date.min
    with connect(settings).connect() as connection:
        return compare(connection, champion.digest, challenger.digest, since)


def approval_text(settings: Settings, which: str, comparison: Comparison) -> str:
    """Return, in Markdown, what a person needs to know to approve of a challenger."""
    champion, challenger = find_version(settings, CHAMPION), find_version(settings, which)
    ours, theirs = flat_numbers(challenger.metrics.get("gate", {})), flat_numbers(champion.metrics.get("gate", {}))
    lines = [
        f"Version {challenger.version.version} ({challenger.version.digest[:12]}) would replace version "
        f"{champion.version.version} ({champion.version.digest[:12]}).",
        "",
        "| gate metric | champion | challenger |",
        "|---|---|---|",
        *(f"| {name} | {_number(theirs.get(name))} | {_number(ours.get(name))} |" for name in sorted({*ours, *theirs})),
        "",
        f"On {comparison.n_journals} journals of {comparison.n_patients} patients scored by both:",
        "",
        "| score | r | r within patients | mean change | 95 % limits of agreement |",
        "|---|---|---|---|---|",
        *(
            f"| {row.score} | {_number(row.correlation)} | {_number(row.correlation_within)} | "
            f"{row.mean_difference:+.3f} | {row.limits[0]:+.3f} to {row.limits[1]:+.3f} |"
            for row in comparison.agreements
        ),
        "",
        "Approving re-scores the history that baselines need and then makes it the champion in one step. "
        "`affect model rollback` undoes it.",
    ]
    return "\n".join(lines)


def history_shards(settings: Settings, which: str) -> list[int]:
    """Return the shards of patients over which the history is re-scored; none if nothing is missing."""
    champion, candidate = find_alias(settings, CHAMPION), find_version(settings, which).version
    since = None if champion is None else history_needed(settings, champion)
    if since is None:
        return []
    with connect(settings).connect() as connection:
        missing = history_scored(connection, candidate.digest, since).n_missing
    return list(range(min(math.ceil(missing / settings.journals_per_shard), settings.max_shards)))


def rescore_history(settings: Settings, which: str, shard: int, n_shards: int) -> RescoreResult:
    """Score one shard of the history that baselines need with a version."""
    champion = find_alias(settings, CHAMPION)
    since = None if champion is None else history_needed(settings, champion)
    if since is None:
        return RescoreResult(0, 0)
    return rescore(settings, _resolved(settings, which), since, shard=shard, n_shards=n_shards)


def approver(response: Mapping[str, Any] | None) -> str | None:
    """Return who gave an answer under Airflow's *Required actions*.

    Parameters
    ----------
    response : mapping, optional
        What the task that asked returned.

    Returns
    -------
    str or None
        Name of the Airflow user; None if nobody is named.
    """
    user = (response or {}).get("responded_by_user") or {}
    return user.get("name") or user.get("id") or None


def promote_challenger(settings: Settings, which: str, approved_by: str | None = None) -> Promotion:
    """Move the champion's alias to a version, in one step; the audit trail names who approved of it.

    Raises
    ------
    ModelError
        If it has not scored the history, or its gate metrics are worse by now.
    """
    return promote_version(settings, which, approved_by)


def evaluate_candidate(folder: Path, corpora: Corpora, work: Path, timed_journals: int = 8) -> dict[str, Any]:
    """Return what was measured about a candidate, measuring it first where that was not done.

    Parameters
    ----------
    folder : Path
        The candidate; its ``evaluation.json`` is written if it is missing.
    corpora : Corpora
        Labelled recordings to measure it on.
    work : Path
        Keeps embeddings between runs.
    timed_journals : int
        Journals of 30 s that its speed is measured on.

    Raises
    ------
    ModelError
        If it was not measured and there is no corpus to measure it on.
    """
    from affect_pipeline.model.corpora import read_corpus

    metrics = read_metrics(folder)
    if metrics:
        return metrics
    if not corpora.folders:
        raise ModelError(f"{folder} was not measured, and no corpus is given to measure it on")
    recordings = [read_corpus(path, name=name) for name, path in corpora.folders.items()]
    return measure(folder, recordings, work, timed_journals)


def measure(
    folder: Path, corpora: Sequence[Sequence[Recording]], work: Path, timed_journals: int = 8
) -> dict[str, Any]:
    """Return what was measured about a model folder, measuring it on corpora first where that was not done."""
    from affect_pipeline.model.evaluate_report import Request, evaluate_model

    if not read_metrics(folder):
        asked = Request(folder, corpora, references=False, work=work, timed_journals=timed_journals)
        write_json(finite(evaluate_model(asked).as_json()), folder / METRICS_FILE)
    return read_metrics(folder)


def _resolved(settings: Settings, which: str) -> ResolvedModel:
    version = find_version(settings, which).version
    return ResolvedModel(version, fetch(settings, version))


def _number(value: float | None) -> str:
    return "n/a" if value is None or not math.isfinite(value) else f"{value:.3f}"
