"""Every number that shapes baselines, charts and alerts, in one place."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from affect_pipeline.settings import Settings


@dataclass(frozen=True)
class Rules:
    """How patients are judged.

    Parameters
    ----------
    baseline_days, baseline_min_days : int
        Length of a baseline, and the day values it needs.
    false_alarms : float
        False alarms per patient in 90 days, over all kinds of alerts together.
    shares : dict-like tuple of (str, float)
        How that budget is split over the kinds; worsening gets most of it.
    gap_days : int
        After so many days without a value a new baseline starts.
    device_days : int
        After so many day values in a row from another device a new baseline starts.
    settle_days : int
        Value days in a row that must look usual before an alert is resolved (hysteresis).
    settle_sd : float
        A change below this many SDs looks usual.
    cool_down_days : int
        Days after a resolved alert in which the same kind is not raised again.
    update_days : int
        An open alert is updated at most this often, or when its severity rises.
    lasting_days : int
        An alert that lasts so long is a new level: it is resolved and a new baseline starts.
    calibration_patients : int
        Patients simulated to find limits.
    profile_days : int
        The cohort is described anew when the last description is this old and a baseline becomes ready.
    """

    baseline_days: int = 28
    baseline_min_days: int = 14
    false_alarms: float = 0.10
    shares: tuple[tuple[str, float], ...] = (
        ("worsening", 0.7), ("improving", 0.1), ("spread", 0.1), ("adherence", 0.1),
    )  # fmt: skip
    gap_days: int = 28
    device_days: int = 3
    settle_days: int = 5
    settle_sd: float = 0.35
    cool_down_days: int = 14
    update_days: int = 7
    lasting_days: int = 90
    calibration_patients: int = 4000
    profile_days: int = 7

    def levels(self) -> dict[str, float]:
        """Return false alarms per patient in 90 days for each kind."""
        return {kind: self.false_alarms * share for kind, share in self.shares}

    @classmethod
    def from_settings(cls, settings: Settings) -> Rules:
        """Return the rules of an installation."""
        return cls(
            baseline_days=settings.baseline_days,
            baseline_min_days=settings.baseline_min_days,
            false_alarms=settings.false_alarms_per_patient_90d,
        )
