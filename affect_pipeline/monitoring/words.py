"""What an alert says, in words and numbers."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

from affect_pipeline.monitoring.channels import Channel

EPOCH = date(1970, 1, 1)
MINUS = "\u2212"


def to_date(day: int) -> date:
    """Return the date of a day number."""
    return EPOCH + timedelta(days=int(day))


def to_day(day: date) -> int:
    """Return the day number of a date: days since 1970-01-01."""
    return (day - EPOCH).days


def short(day: int) -> str:
    """Return a date for reading, in an order that no country misreads."""
    when = to_date(day)
    return f"{when.day} {when:%b %Y}"


@dataclass(frozen=True)
class Moved:
    """How one channel changed.

    Parameters
    ----------
    channel : Channel
        The channel.
    effect_sd : float
        Change in the patient's own SDs, in the channel's direction (not turned by its sign).
    effect_se : float
        Its standard error.
    usual : float
        Baseline mean, in the channel's unit.
    now : float
        Level since the onset.
    """

    channel: Channel
    effect_sd: float
    effect_se: float
    usual: float
    now: float

    def words(self) -> str:
        """Return the change as a phrase: ``pauses +1.2 SD (4.1 → 7.9 per minute)``."""
        unit = f" {self.channel.unit}" if self.channel.unit else ""
        size = f"{self.effect_sd:+.1f}".replace("-", MINUS)
        levels = f"{self.usual:.2f} → {self.now:.2f}".replace("-", MINUS)
        return f"{self.channel.words} {size} SD ({levels}{unit})"


def drift(kind: str, onset: tuple[int, int, int], moved: list[Moved], *, n_days: int, since: int, evidence: str) -> str:
    """Return why a lasting change is suspected."""
    best, low, high = onset
    lead = "Sounds different, in the direction of worse mood" if kind == "worsening" else "Sounds better than usual"
    between = f" (between {short(low)} and {short(high)})" if low != high else ""
    what = "; ".join(change.words() for change in moved) or "several channels a little"
    return (
        f"{lead}, since about {short(best)}{between}: {what}. Measured in this patient's own day-to-day SDs against "
        f"their baseline of {n_days} days with a journal since {short(since)}. {evidence}"
    )


def spread(ratio: float, since: int) -> str:
    """Return why the day-to-day spread is noted."""
    return (
        f"The voice varies more from day to day than usual: variance {ratio:.1f} times that of the baseline since "
        f"{short(since)}. Such restlessness can come before a change of mood."
    )


def adherence(silent_days: int, last_day: int, usual_rate: float) -> str:
    """Return why silence is noted."""
    return (
        f"Records far less often than usual: last journal {silent_days} days ago, on {short(last_day)}; "
        f"usual are {7 * usual_rate:.1f} days a week."
    )


def quality(share: float) -> str:
    """Return why failing recordings are noted."""
    return (
        f"About {100 * share:.0f} % of the newest recordings failed their quality checks, so this patient can hardly "
        "be heard. Look at the phone, the microphone or the place."
    )
