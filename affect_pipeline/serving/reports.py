"""One page about one patient, for the file: the same charts and words as on the dashboard.

The page is an SVG, which `vl-convert` turns into a PDF; as HTML the same SVG stands in a page that
needs nothing else.
"""

from __future__ import annotations

import re
import textwrap
from dataclasses import dataclass, field
from datetime import date
from html import escape
from typing import TYPE_CHECKING

from affect_pipeline.serving import charts, words
from affect_pipeline.serving.pages.moved import moved_channels
from affect_pipeline.serving.pages.patient import (
    patient_charts,
    patient_journals,
    patient_marks,
    patient_questionnaires,
)
from affect_pipeline.serving.patients import patient, trend

if TYPE_CHECKING:
    from affect_pipeline.serving.database import Queries, Row

WIDTH, HEIGHT, MARGIN = 794, 1123, 48
"""A4 at 96 dots an inch."""

LINE, CHARACTERS = 17, 104
MAX_ALERTS = 4


@dataclass
class Sheet:
    """An A4 page that is written from top to bottom.

    Parameters
    ----------
    y : float
        Where the next line goes.
    parts : list of str
        The elements so far.
    """

    y: float = MARGIN
    parts: list[str] = field(default_factory=list)

    def text(self, content: str, size: int = 12, bold: bool = False, muted: bool = False) -> None:
        """Write a paragraph, wrapped to the width of the page."""
        weight = ' font-weight="700"' if bold else ""
        fill = "#55626b" if muted else "#1a2126"
        for line in textwrap.wrap(content, int(CHARACTERS * 12 / size)) or [""]:
            self.y += LINE * size / 12
            self.parts.append(
                f'<text x="{MARGIN}" y="{self.y:.0f}" font-size="{size}" fill="{fill}"{weight}>{escape(line)}</text>'
            )

    def chart(self, spec: charts.Spec) -> None:
        """Draw a chart across the page."""
        svg = charts.to_svg(spec, WIDTH - 2 * MARGIN - 70)
        found = re.search(r'viewBox="0 0 ([\d.]+) ([\d.]+)"', svg)
        assert found is not None, "vl-convert writes a viewBox"
        width, height = float(found[1]), float(found[2])
        scale = min(1.0, (WIDTH - 2 * MARGIN) / width)
        inner = re.sub(r"<\?xml[^>]*\?>|<!DOCTYPE[^>]*>", "", svg)
        self.y += 8
        self.parts.append(f'<g transform="translate({MARGIN} {self.y:.0f}) scale({scale:.4f})">{inner}</g>')
        self.y += height * scale

    def gap(self, height: float = 10) -> None:
        """Leave room."""
        self.y += height

    def svg(self) -> str:
        """Return the page."""
        ground = f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>'
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" width="{WIDTH}" '
            f'height="{HEIGHT}" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif">'
            f"{ground}{''.join(self.parts)}</svg>"
        )


def report_svg(queries: Queries, patient_key: str, first_day: date | None, last_day: date | None) -> str:
    """Return the report on one patient as an SVG page.

    Parameters
    ----------
    queries : Queries
        On behalf of the person who asks.
    patient_key : str
        The patient.
    first_day, last_day : datetime.date, optional
        The days it covers; by default the last 120 that there are.

    Raises
    ------
    Problem
        404 if there is no such patient for the person who asks.
    """
    row = patient(queries, patient_key)
    shown = trend(queries, row, first_day, last_day)
    days = (shown["first_day"], shown["last_day"])
    journals = patient_journals(queries, row, 2000, days)
    marks = patient_marks(queries, shown)
    questionnaires = patient_questionnaires(queries, patient_key)
    sheet = Sheet()
    _head(sheet, row, days, journals)
    for name in ("trend", "evidence"):
        spec = patient_charts(shown, marks, name, questionnaires)
        if spec is not None:
            sheet.chart(spec)
    _alerts(sheet, [alert for alert in shown["alerts"] if days[0] <= alert["opened_night"]])
    _baseline(sheet, shown)
    sheet.y = max(sheet.y, HEIGHT - MARGIN - 80)
    sheet.text(words.DISCLAIMER, 10, muted=True)
    digest = (shown["model_digest"] or "none")[:16]
    sheet.text(f"Model {digest}. Judged up to the night of {words.long_day(row['as_of_night'])}.", 10, muted=True)
    return sheet.svg()


def to_pdf(svg: str) -> bytes:
    """Return a report page as PDF."""
    import vl_convert

    return bytes(vl_convert.svg_to_pdf(svg))


def to_html(svg: str, patient_key: str) -> str:
    """Return a report page as HTML that needs nothing else."""
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Voice report {escape(patient_key[:8])}'
        f"</title></head><body>{svg}</body></html>\n"
    )


def _head(sheet: Sheet, row: Row, days: tuple[date, date], journals: list[Row]) -> None:
    n_usable = sum(journal["status"] in ("accepted", "warned") for journal in journals)
    sheet.text(f"Voice report: patient {row['patient_key'][:8]}", 20, bold=True)
    sheet.text(f"Pseudonym {row['patient_key']}", 10, muted=True)
    sheet.text(
        f"{row['clinic'] or 'No clinic'}. {words.long_day(days[0])} to {words.long_day(days[1])}, days in "
        f"{row['time_zone'] or 'UTC'}. {len(journals)} recordings, {n_usable} of them usable."
    )
    sheet.gap()


def _alerts(sheet: Sheet, alerts: list[Row]) -> None:
    sheet.gap()
    sheet.text("Alerts", 14, bold=True)
    if not alerts:
        sheet.text("No alert was raised in these days.")
    for alert in alerts[:MAX_ALERTS]:
        sheet.text(
            f"{alert['direction'].replace('_', ' ').capitalize()}, {alert['severity']}, {alert['state']}; raised on "
            f"the night of {words.long_day(alert['opened_night'])}.",
            bold=True,
        )
        if alert["explanation"]:
            sheet.text(alert["explanation"])
        moved = "; ".join(item.text for item in moved_channels(alert["channels"])[:3])
        if moved:
            sheet.text(f"{moved}.", muted=True)
    if len(alerts) > MAX_ALERTS:
        sheet.text(f"And {len(alerts) - MAX_ALERTS} more.")


def _baseline(sheet: Sheet, shown: Row) -> None:
    ready = [c for c in shown["channels"] if c["baseline"] and c["baseline"]["state"] == "ready"]
    sheet.gap()
    if ready:
        baseline = ready[0]["baseline"]
        sheet.text(
            f"Compared with this patient's own baseline of {baseline['n_days']} days since "
            f"{words.long_day(baseline['first_day'])}."
        )
        return
    reasons = [c["baseline"]["reason"] for c in shown["channels"] if c["baseline"] and c["baseline"]["reason"]]
    sheet.text(f"Not judged: {reasons[0] if reasons else 'there is no baseline yet'}.")
