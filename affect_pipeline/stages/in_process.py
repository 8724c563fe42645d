"""The stages of a run one after another in this process, without Airflow: for a laptop, a test, an emergency."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from affect_pipeline.nights import Nights
from affect_pipeline.notify import Notifier
from affect_pipeline.settings import Settings

STAGES = ("collect", "measure", "validate", "score", "monitor", "publish")
"""Names of the stages, in order."""

Progress = Callable[[str, int, int], None]
"""Called with the name of a stage, its pieces done and its pieces in all."""


@dataclass(frozen=True)
class StageResults:
    """What the stages of one run returned, as plain JSON values.

    Parameters
    ----------
    collect, validate, monitor, publish : dict
        Of the stages that run once.
    measure, score : tuple of dict
        One for each shard.
    """

    collect: dict[str, Any]
    measure: tuple[dict[str, Any], ...]
    validate: dict[str, Any]
    score: tuple[dict[str, Any], ...]
    monitor: dict[str, Any]
    publish: dict[str, Any]


def run_nights(
    settings: Settings,
    nights: Nights,
    *,
    notifier: Notifier | None = None,
    progress: Progress = lambda _stage, _done, _total: None,
) -> StageResults:
    """Run all stages over a range of nights, as one run of a DAG would.

    Parameters
    ----------
    settings : Settings
        The installation.
    nights : Nights
        The nights to work on.
    notifier : Notifier, optional
        Who is told of new alerts. Defaults to nobody.
    progress : callable
        Told how far the run is.

    Raises
    ------
    AffectError
        Whatever a stage raises; the stages before it are done, and running again goes on from there.
    """
    from affect_pipeline.stages.collect import collect
    from affect_pipeline.stages.measure import measure
    from affect_pipeline.stages.monitor import monitor
    from affect_pipeline.stages.publish import publish
    from affect_pipeline.stages.score import score
    from affect_pipeline.stages.validate import validate

    def each(stage: str, work: Callable[[int], Any], shards: Sequence[int]) -> tuple[dict[str, Any], ...]:
        results = []
        for done, shard in enumerate(shards):
            progress(stage, done, len(shards))
            results.append(work(shard).as_dict())
        progress(stage, len(shards), len(shards))
        return tuple(results)

    progress("collect", 0, 1)
    collected = collect(settings, nights)
    progress("collect", 1, 1)
    measured = each("measure", lambda shard: measure(settings, nights, shard), collected.shards)
    validated = validate(settings, nights)
    progress("validate", 1, 1)
    scored = each("score", lambda shard: score(settings, nights, shard), validated.shards_to_score)
    (monitored,) = each("monitor", lambda _: monitor(settings, nights), (0,))
    (published,) = each("publish", lambda _: publish(settings, nights, notifier=notifier), (0,))
    return StageResults(collected.as_dict(), measured, validated.as_dict(), scored, monitored, published)
