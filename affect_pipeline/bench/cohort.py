"""Onsets found and false alarms on real voices, through the whole pipeline: files in, alerts out.

A cohort is recorded from a corpus (`affect simulate`): each patient is one speaker, after the onset the
share of sad speech grows over two weeks. Everything runs as in production, stage by stage, in a folder
of its own with an embedded warehouse; then alerts are compared with the truth.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from affect_pipeline.settings import Settings
from affect_pipeline.simulate.report import DemoReport, PatientReport

TOO_LITTLE = "too_little_data"


@dataclass(frozen=True)
class CohortScore:
    """How a cohort fared.

    Parameters
    ----------
    n_patients, n_onsets : int
        Patients who could be judged, and those of them with an onset.
    found_14, found_28 : float or None
        Share of onsets found by an alert of worsening within so many days, of those that were followed
        that long; None where there is none.
    false_alarms : float or None
        Share of patients without an onset who had an alert of worsening.
    false_alarms_90d : float
        Alerts of worsening that no onset explains, per patient and 90 days of monitoring.
    median_days : float or None
        Median days from the onset to its alert.
    """

    n_patients: int
    n_onsets: int
    found_14: float | None
    found_28: float | None
    false_alarms: float | None
    false_alarms_90d: float
    median_days: float | None

    def as_dict(self) -> dict[str, Any]:
        """Return it with a name for every column."""
        return {
            "patients judged": self.n_patients, "onsets": self.n_onsets, "found ≤14 d": self.found_14,
            "found ≤28 d": self.found_28, "steady patients alarmed": self.false_alarms,
            "false alarms per patient 90 d": self.false_alarms_90d, "median days to alert": self.median_days,
        }  # fmt: skip


def run(
    home: Path,
    corpus: Path | None,
    *,
    n_patients: int,
    n_days: int,
    seed: int,
    progress: Callable[[str, int, int], None] = lambda _stage, _done, _total: None,
) -> DemoReport:
    """Record a cohort, run the pipeline over it, and compare what it found with the truth.

    Parameters
    ----------
    home : Path
        An empty folder for everything the run makes.
    corpus : Path, optional
        Folder of real recordings with a ``manifest.csv``; without it the packaged voices speak.
    n_patients, n_days, seed : int
        Size and seed of the cohort.
    progress : callable
        Told the stage, its pieces done and its pieces in all.
    """
    from affect_pipeline.model.registry import ensure_champion
    from affect_pipeline.simulate.report import compare
    from affect_pipeline.simulate.run import simulate
    from affect_pipeline.stages.in_process import run_nights
    from affect_pipeline.warehouse.embedded import stop
    from affect_pipeline.warehouse.engine import connect
    from affect_pipeline.warehouse.migrate import migrate

    settings = Settings(home=home, landing_url="", warehouse_url="", mlflow_uri="", pseudonym_secret_file=None)
    truth_path = home / "truth.json"
    made = simulate(
        n_patients=n_patients, n_days=n_days, seed=seed, landing_url=settings.landing, truth_path=truth_path,
        corpus=corpus, progress=lambda done, of: progress("simulate", done, of),
    )  # fmt: skip
    try:
        migrate(connect(settings))
        ensure_champion(settings)
        run_nights(settings, made.plan.nights, progress=progress)
        return compare(settings, truth_path)
    finally:
        stop(settings)


def score(report: DemoReport) -> CohortScore:
    """Return shares of onsets found and false alarms of a cohort."""
    judged = [row for row in report.patients if row.outcome.state != TOO_LITTLE]
    onsets = [row for row in judged if row.onset is not None]
    steady = [row for row in judged if row.onset is None]
    days = sorted(row.days_to_alert for row in onsets if row.days_to_alert is not None)
    n_false = sum(_false_worsening(row) for row in judged)
    watched = sum(_days_watched(row, report) for row in judged)
    return CohortScore(
        n_patients=len(judged),
        n_onsets=len(onsets),
        found_14=_found(onsets, report, 14),
        found_28=_found(onsets, report, 28),
        false_alarms=sum(_false_worsening(row) > 0 for row in steady) / len(steady) if steady else None,
        false_alarms_90d=90.0 * n_false / max(watched, 1),
        median_days=float(days[len(days) // 2]) if days else None,
    )


def _found(onsets: list[PatientReport], report: DemoReport, within: int) -> float | None:
    followed = [row for row in onsets if row.onset and (report.truth.nights.last - row.onset).days >= within - 1]
    if not followed:
        return None
    return sum(row.days_to_alert is not None and row.days_to_alert < within for row in followed) / len(followed)


def _false_worsening(row: PatientReport) -> int:
    return sum(
        alert.direction == "worsening" and (row.onset is None or alert.opened_night < row.onset)
        for alert in row.outcome.alerts
    )


def _days_watched(row: PatientReport, report: DemoReport) -> int:
    """Return the days between a baseline of 28 days and the onset, or the end."""
    end = row.onset or report.truth.nights.last
    return max((end - report.truth.nights.first).days - 28, 0)
