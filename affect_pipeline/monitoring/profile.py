"""What a cohort looks like while nothing changes: the prior of every personal baseline.

A patient's own 28 days say little about the spread and next to nothing about the autocorrelation or
the tails. The cohort says it well, because it has thousands of such stretches.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from affect_pipeline.monitoring.arrays import Floats

TAILS: tuple[float, ...] = (0.0, 12.0, 8.0, 6.0, 5.0, 4.0, 3.5)
"""Degrees of freedom of Student's t that tails are matched to; 0 stands for the normal distribution."""

PSEUDO_PATIENTS = 8.0
"""Weight of the built-in expectation against the patients seen, so that a cohort of three is not over-trusted."""

DEFAULT_AUTOCORRELATION = 0.3
MAX_AUTOCORRELATION = 0.85
MAX_PRIOR_DF = 60.0


@dataclass(frozen=True)
class Profile:
    """A cohort in control.

    All tuples have one entry a channel; values are in the channel's own unit unless said otherwise.

    Parameters
    ----------
    mean : tuple[float, ...]
        Mean over patients of their means.
    between_sd : tuple[float, ...]
        Spread of the patients' means.
    variance : tuple[float, ...]
        Scale s0^2 of the scaled inverse chi-square distribution of within-person variances.
    variance_df : tuple[float, ...]
        Its degrees of freedom: the higher, the more alike patients are.
    autocorrelation : tuple[float, ...]
        Correlation of consecutive days, AR(1).
    weekday : tuple[tuple[float, ...], ...]
        Mean effect of Monday..Sunday, in SDs of the patient.
    weekday_sd : tuple[float, ...]
        How much patients differ in these effects, in SDs of the patient.
    tail_df : tuple[float, ...]
        Student t degrees of freedom of the tails; 0 is normal.
    correlation : tuple[tuple[float, ...], ...]
        Correlation between channels of the same day's innovations.
    missing : float
        Share of days with no journal.
    missing_sd : float
        How much patients differ in that share.
    n_patients : int
        Patients it was estimated from.
    correlation_df : float
        How alike patients are: each has the correlation of so many days drawn with `correlation`; 0 is: all alike.
    """

    mean: tuple[float, ...]
    between_sd: tuple[float, ...]
    variance: tuple[float, ...]
    variance_df: tuple[float, ...]
    autocorrelation: tuple[float, ...]
    weekday: tuple[tuple[float, ...], ...]
    weekday_sd: tuple[float, ...]
    tail_df: tuple[float, ...]
    correlation: tuple[tuple[float, ...], ...]
    missing: float
    missing_sd: float
    n_patients: int
    correlation_df: float = 0.0

    @property
    def n_channels(self) -> int:
        """Number of channels."""
        return len(self.mean)

    def to_json(self) -> str:
        """Return it as JSON with sorted keys: same profile, same text."""
        return json.dumps(asdict(self), sort_keys=True, separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str) -> Profile:
        """Read it back from `to_json`."""
        fields: dict[str, Any] = json.loads(text)
        for name in ("weekday", "correlation"):
            fields[name] = tuple(tuple(row) for row in fields[name])
        plain: dict[str, Any] = {
            key: tuple(value) if isinstance(value, list) else value for key, value in fields.items()
        }
        return cls(**plain)

    def shape_only(self) -> Profile:
        """Return what limits depend on, rounded, at unit scale.

        Charts work in SDs of the patient, so two cohorts that differ only in unit share their limits.
        Limits are calibrated on this profile, so they depend on the key alone and not on who came first.
        """
        scale = np.sqrt(np.maximum(self.variance, 1e-300))
        between = np.clip(np.round(np.asarray(self.between_sd) / scale * 4) / 4, 0.25, 4.0)
        return Profile(
            mean=(0.0,) * self.n_channels,
            between_sd=_tuple(between),
            variance=(1.0,) * self.n_channels,
            variance_df=_tuple(2.0 ** (np.round(np.log2(self.variance_df) * 4) / 4)),
            autocorrelation=_tuple(np.round(np.asarray(self.autocorrelation) * 50) / 50),
            weekday=((0.0,) * 7,) * self.n_channels,
            weekday_sd=_tuple(np.round(np.asarray(self.weekday_sd) * 20) / 20),
            tail_df=self.tail_df,
            correlation=tuple(_tuple(np.round(np.asarray(row) * 20) / 20) for row in self.correlation),
            missing=round(self.missing * 40) / 40,
            missing_sd=round(self.missing_sd * 20) / 20,
            n_patients=0,
            correlation_df=float(round(2.0 ** (round(np.log2(self.correlation_df) * 4) / 4)))
            if self.correlation_df
            else 0.0,
        )

    def shape_key(self) -> str:
        """Return a digest of `shape_only`."""
        return hashlib.sha256(self.shape_only().to_json().encode()).hexdigest()


def _tuple(values: Floats) -> tuple[float, ...]:
    return tuple(float(value) + 0.0 for value in np.round(values, 6))


def default_profile(n_channels: int) -> Profile:
    """Return the profile that is used before anything is known: unit scale, mild autocorrelation."""
    ones = (1.0,) * n_channels
    return Profile(
        mean=(0.0,) * n_channels,
        between_sd=ones,
        variance=ones,
        variance_df=(8.0,) * n_channels,
        autocorrelation=(DEFAULT_AUTOCORRELATION,) * n_channels,
        weekday=((0.0,) * 7,) * n_channels,
        weekday_sd=(0.0,) * n_channels,
        tail_df=(0.0,) * n_channels,
        correlation=tuple(tuple(float(i == j) for j in range(n_channels)) for i in range(n_channels)),
        missing=0.3,
        missing_sd=0.1,
        n_patients=0,
    )
