"""The weekly digest: what a care team should look at, with the chart of the weeks as a picture.

It leaves the house, so it holds pseudonyms, counts and dates, and nothing that says how a patient is.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from affect_pipeline.notify import Message
from affect_pipeline.serving import charts, words
from affect_pipeline.serving.alerts import alert_page
from affect_pipeline.serving.overview import cohort, last_night

if TYPE_CHECKING:
    from affect_pipeline.serving.database import Queries, Row

LISTED = 20
WEEKS = 12


def weekly_digest(queries: Queries) -> Message | None:
    """Return the digest of the week up to the newest night, or None if no night was worked on.

    Parameters
    ----------
    queries : Queries
        On behalf of the person or team that will read it.
    """
    night = last_night(queries)
    if night is None:
        return None
    last = night["night"]
    found = cohort(queries, WEEKS)
    n_patients, n_alert, n_unjudged = (
        sum(row[name] for row in found["clinics"]) for name in ("n_patients", "n_alert", "n_too_little_data")
    )
    since = last - timedelta(days=6)
    n_raised = sum(1 for row in _alerts(queries, 200) if row["opened_night"] >= since)
    lines = [
        f"Up to the night of {words.long_day(last)}: {n_raised} alerts raised in seven nights and still open; "
        f"{n_alert} of {n_patients} patients have an open alert, {n_unjudged} have too little data to be judged.",
        "",
        *map(_line, _alerts(queries, LISTED)),
        "",
        "The dashboard says why.",
    ]
    picture = charts.to_png(charts.alert_weeks_chart(found["alerts"], found["weeks"])) if found["alerts"] else None
    return Message(f"Voice journals: week up to {words.long_day(last)}", "\n".join(lines), picture)


def _alerts(queries: Queries, limit: int) -> list[Row]:
    found: list[Row] = alert_page(queries, limit, None, ["new", "acknowledged"])["alerts"]
    return found


def _line(alert: Row) -> str:
    return f"- {alert['patient_key'][:8]}, open since {words.long_day(alert['opened_night'])}"
