"""How a model becomes the champion, and how it stops being it.

A new champion is at least as good as the old one on the gate metrics, and has scored the history
that baselines need, before the alias moves: in one step, so that no night sees half a change.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any

from affect_pipeline.errors import GateFailed, ModelError
from affect_pipeline.model.lookup import ModelVersion, find_alias
from affect_pipeline.model.registry import CHAMPION, fetch, find_version, set_alias
from affect_pipeline.model.shadow import history_start, unscored_with_audio
from affect_pipeline.model.summary import flat_numbers
from affect_pipeline.settings import Settings
from affect_pipeline.warehouse.engine import connect

GATE = "gate"
"""Section of ``evaluation.json`` whose numbers, the higher the better, decide whether a model may replace another.

`affect model evaluate` writes ``<corpus>.<question>`` (``ravdess.depression``, ``emodb.arousal``): the area under the
ROC curve over speakers that the heads did not hear, for every labelled corpus it was given, be it by folds over the
corpus' speakers or as one never trained on. No corpus decides alone: a candidate is measured on all corpora that the
champion was measured on, and may be worse than it on none.
"""

TAUGHT_BY = "depression_taught_by"
"""Key of ``evaluation.json`` that names the labels of the depression head; without it, acted moods taught it."""

TOLERANCE = 0.005
"""A gate metric may be this much lower: evaluating again on other draws of noise moves AUCs as much."""

DEPRESSION = ".depression"

REPLACED_TAG = "affect.replaced"


@dataclass(frozen=True)
class Promotion:
    """A move of the champion's alias.

    Parameters
    ----------
    champion : ModelVersion
        The champion now.
    replaced : ModelVersion, optional
        The champion before, None if there was none.
    """

    champion: ModelVersion
    replaced: ModelVersion | None


def check_gate(candidate: dict[str, Any], champion: dict[str, Any]) -> None:
    """Refuse a candidate that is worse than the champion on any gate metric.

    Parameters
    ----------
    candidate, champion : dict
        Contents of their ``evaluation.json``. Numbers under ``gate`` count, the higher the better.

    Raises
    ------
    GateFailed
        If one is worse by more than `TOLERANCE`, or was not measured.
    """
    ours, theirs = (flat_numbers(metrics.get(GATE, {})) for metrics in (candidate, champion))
    if _replaces_proxy(candidate, champion, ours):
        theirs = {name: value for name, value in theirs.items() if not name.endswith(DEPRESSION)}
    if missing := sorted(set(theirs) - set(ours)):
        raise GateFailed(f"the gate metrics {missing} were not measured: run `affect model evaluate` on the model")
    worse = [
        f"{name} {ours[name]:.3f} against {value:.3f}"
        for name, value in sorted(theirs.items())
        if ours[name] < value - TOLERANCE
    ]
    if worse:
        raise GateFailed("worse than the champion: " + "; ".join(worse))


def _replaces_proxy(candidate: dict[str, Any], champion: dict[str, Any], ours: dict[str, float]) -> bool:
    """Return whether a head that questionnaires taught stands for one that acted sadness taught.

    How well it hears acted sadness then says nothing of it; a figure on people with questionnaires has to be there.
    """
    clinical = candidate.get(TAUGHT_BY) is not None and champion.get(TAUGHT_BY) is None
    return clinical and any(name.endswith(DEPRESSION) for name in ours)


def history_needed(settings: Settings, champion: ModelVersion) -> date | None:
    """Return the first local day that a new champion must have scored from on; None if there is no history."""
    with connect(settings).connect() as connection:
        return history_start(connection, champion.digest)


def promote(settings: Settings, which: str, approved_by: str | None = None) -> Promotion:
    """Make a version the champion.

    Parameters
    ----------
    settings : Settings
        The installation.
    which : str
        The version's number, alias (``challenger``) or the beginning of its digest.
    approved_by : str, optional
        Who decided it, for the audit trail; by default the system user of this process.

    Raises
    ------
    GateFailed
        If its gate metrics are worse than the champion's.
    DigestMismatch
        If its weights are not those that were registered.
    ModelError
        If there is no such version, or it has not scored the history that baselines need.
    """
    candidate, champion = find_version(settings, which), find_alias(settings, CHAMPION)
    if champion is None:
        return _move(settings, candidate.version, None, actor=approved_by)
    if champion.digest == candidate.version.digest:
        return Promotion(champion, replaced=None)
    check_gate(candidate.metrics, find_version(settings, CHAMPION).metrics)
    check_history(settings, candidate.version, champion)
    return _move(settings, candidate.version, champion, actor=approved_by)


def rollback(settings: Settings) -> Promotion:
    """Make the version that the champion replaced the champion again.

    The gate is not asked: a rollback is for a model that turned out worse than it was measured. The
    history is: nights since the replacement must have been scored by the earlier champion, too.

    Raises
    ------
    ModelError
        If there is no champion, it replaced none, or the history is not scored.
    """
    champion, earlier = earlier_champion(settings)
    check_history(settings, earlier, champion)
    return _move(settings, earlier, champion, remember=False)


def earlier_champion(settings: Settings) -> tuple[ModelVersion, ModelVersion]:
    """Return the champion and the version that it replaced.

    Raises
    ------
    ModelError
        If there is no champion or it replaced none.
    """
    champion = find_version(settings, CHAMPION)
    before = champion.tags.get(REPLACED_TAG)
    if before is None:
        raise ModelError(
            f"version {champion.version.version} is the first champion; use `affect model promote` to choose another"
        )
    return champion.version, find_version(settings, before).version


def check_history(settings: Settings, candidate: ModelVersion, champion: ModelVersion) -> None:
    """Refuse a candidate that has not scored what baselines need.

    Recordings that were erased cannot be scored and do not count.

    Raises
    ------
    ModelError
        If journals are missing; says how many, and how to score them.
    """
    since = history_needed(settings, champion)
    missing = 0 if since is None else unscored_with_audio(settings, candidate.digest, since)
    if missing:
        raise ModelError(
            f"version {candidate.version} has not scored {missing} journals since {since} that baselines need; "
            f"run `affect model rescore {candidate.version}` first"
        )


def _move(
    settings: Settings,
    to: ModelVersion,
    champion: ModelVersion | None,
    *,
    remember: bool = True,
    actor: str | None = None,
) -> Promotion:
    from affect_pipeline.privacy.audit import record

    fetch(settings, to)  # a champion whose weights cannot be had would stop the night
    tags = {REPLACED_TAG: str(champion.version)} if champion is not None and remember else None
    replaced = {"replaced": champion.digest} if champion is not None else {}
    with connect(settings).begin() as connection:
        action = "model_promoted" if remember else "model_rolled_back"
        record(connection, action, actor=actor, version=to.version, digest=to.digest, **replaced)
        set_alias(settings, CHAMPION, to, tags)
    return Promotion(to, champion)
