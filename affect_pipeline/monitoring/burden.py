"""The alert burden of care teams: more alerts than a team can look at are ranked and said, never dropped."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from affect_pipeline.settings import Settings

if TYPE_CHECKING:
    from sqlalchemy import RowMapping


@dataclass(frozen=True)
class Burden:
    """What waits for one care team.

    Parameters
    ----------
    clinic : str or None
        The care team's clinic; None for patients without one.
    n_patients : int
        Patients with an alert that nobody has looked at.
    budget : int
        Patients the team can look at in a day.
    """

    clinic: str | None
    n_patients: int
    budget: int

    @property
    def exceeded(self) -> bool:
        """Whether more patients wait than the team can look at."""
        return self.n_patients > self.budget

    def words(self) -> str:
        """Return it in a sentence."""
        team = self.clinic or "no clinic"
        return (
            f"{team}: {self.n_patients} patients have an alert that nobody has looked at, more than the alert budget "
            f"of {self.budget} a day. They are ranked, the most urgent first; none is left out."
        )


def burden(settings: Settings, rows: Iterable[Mapping[str, Any] | RowMapping]) -> list[Burden]:
    """Return what waits for each care team.

    Parameters
    ----------
    settings : Settings
        Holds the budgets.
    rows : iterable of mappings
        ``clinic`` and ``n_patients``, as ``sql/serving/summarise_alert_burden.sql`` returns them.
    """
    return [Burden(row["clinic"], int(row["n_patients"]), settings.alert_budget_of(row["clinic"])) for row in rows]
