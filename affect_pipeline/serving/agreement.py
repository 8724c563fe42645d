"""How far the voice goes with the PHQ, for the *Model* page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from affect_pipeline.serving import words
from affect_pipeline.serving.database import Queries, Row


@dataclass(frozen=True)
class Agreement:
    """Agreement of voice and PHQ, of the patients somebody may see.

    Parameters
    ----------
    channels : list of dict
        A row a model and channel, as the query ``measure_phq_agreement``.
    alerts : list of dict
        A row a model and measure, as the query ``compare_alerts_with_phq``.
    n_answered : int
        Questionnaires that arrived and were taken.
    """

    channels: list[Row] = field(default_factory=list)
    alerts: list[Row] = field(default_factory=list)
    n_answered: int = 0

    @property
    def models(self) -> list[str]:
        """Digests of the models that there is something to say about."""
        return sorted({row["model_digest"] for row in (*self.channels, *self.alerts)})

    def of_model(self, digest: str) -> tuple[list[Row], list[Row]]:
        """Return the rows of one model: channels in their usual order, and alerts."""
        order = list(words.CHANNELS)
        channels = [row for row in self.channels if row["model_digest"] == digest]
        channels.sort(key=lambda row: order.index(row["channel"]) if row["channel"] in order else len(order))
        return channels, [row for row in self.alerts if row["model_digest"] == digest]


class AgreementCache:
    """Agreement as it was worked out last for each person: a second for a few thousand questionnaires."""

    def __init__(self) -> None:
        self._kept: dict[str, tuple[Any, Agreement]] = {}

    def get(self, queries: Queries, login: str) -> Agreement:
        """Return the agreement of the patients that one person may see.

        Parameters
        ----------
        queries : Queries
            On behalf of the person.
        login : str
            The person.
        """
        mark = queries.row("mark_questionnaires") or {}
        known = self._kept.get(login)
        if known is not None and known[0] == mark:
            return known[1]
        found = Agreement(n_answered=mark.get("n_answered", 0))
        if found.n_answered:
            found = Agreement(
                queries.rows("list_phq_agreement"), queries.rows("list_phq_alert_agreement"), found.n_answered
            )
        self._kept[login] = (mark, found)
        return found


def interval(low: float | None, high: float | None, digits: int = 2) -> str:
    """Return an interval for reading; empty where there is none.

    Examples
    --------
    >>> interval(-0.2, 0.455)
    '−0.20 to 0.46'
    """
    if low is None or high is None:
        return ""
    return f"{words.number(low, digits)} to {words.number(high, digits)}"


def chart_rows(channels: Sequence[Row]) -> list[Row]:
    """Return correlations with their intervals, one row a channel and kind, for `charts.agreement_chart`."""
    kinds = (("within", "within patients"), ("between", "between patients"))
    return [
        {
            "channel": words.channel(row["channel"]).label,
            "kind": label,
            "r": row[f"{name}_r"],
            "low": row[f"{name}_low"],
            "high": row[f"{name}_high"],
        }
        for row in channels
        for name, label in kinds
        if row[f"{name}_r"] is not None
    ]
