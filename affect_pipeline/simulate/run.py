"""Making a cohort in one call: plan it, deliver it, write down the truth."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from affect_pipeline.simulate.cohort import DEFAULT_START, CohortPlan
from affect_pipeline.simulate.delivery import Delivered, deliver
from affect_pipeline.simulate.planning import plan_cohort
from affect_pipeline.simulate.sources import VoiceSource, corpus_voices, packaged_voices
from affect_pipeline.simulate.truth import truth_of, write_truth


@dataclass(frozen=True)
class Simulated:
    """A cohort that lies in a landing zone."""

    plan: CohortPlan
    delivered: Delivered


def voice_source(corpus: Path | None) -> VoiceSource:
    """Return the voices of a corpus folder, or of the packaged bank if there is none."""
    return packaged_voices() if corpus is None else corpus_voices(corpus)


def simulate(
    *,
    n_patients: int,
    n_days: int,
    seed: int,
    landing_url: str,
    truth_path: Path,
    corpus: Path | None = None,
    start: date = DEFAULT_START,
    progress: Callable[[int, int], None] = lambda done, of: None,
) -> Simulated:
    """Write a cohort into a landing zone and its truth into a file outside.

    Parameters
    ----------
    n_patients, n_days, seed, start
        As in `plan_cohort`.
    landing_url : str
        A folder, or any fsspec URL.
    truth_path : Path
        Where the truth goes.
    corpus : Path, optional
        Folder of real recordings; without it the packaged synthesised voices speak.
    progress : Callable[[int, int], None]
        Told how many journals of how many are delivered.

    Raises
    ------
    CorpusError
        If the corpus cannot serve.
    LandingZoneUnavailable
        If the landing zone cannot be written to.
    """
    source = voice_source(corpus)
    plan = plan_cohort(source, n_patients=n_patients, n_days=n_days, seed=seed, start=start)
    write_truth(truth_of(plan), truth_path)
    delivered = deliver(plan, source, landing_url, lambda done: progress(done, len(plan.journals)))
    return Simulated(plan, delivered)
