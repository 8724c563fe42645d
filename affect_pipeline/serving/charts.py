"""Charts as Vega-Lite: the same specification for pages, e-mails and reports.

`chart_templates` says what they look like; here the numbers are filled in.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any

from affect_pipeline.serving import chart_templates as templates
from affect_pipeline.serving import words
from affect_pipeline.serving.chart_templates import BLUE, GREEN, GREY, ORANGE, PAGE, SKY

PNG_WIDTH = 760
DIRECTIONS = {"worsening": ORANGE, "improving": GREEN, "adherence_lost": BLUE, "quality_lost": GREY}
"""Colour of each direction of an alert, in the order in which they are stacked."""

Row = dict[str, Any]
Spec = dict[str, Any]
Days = tuple[date, date]


def trend_chart(
    channel: Row, days: Days, alerts: Sequence[Row], marks: Sequence[Row] = (), questionnaires: Sequence[Row] = ()
) -> Spec:
    """Return one channel over time: values, the patient's own band, gaps, changes, onset and alerts.

    Parameters
    ----------
    channel : dict
        As `schemas.TrendChannel`.
    days : (datetime.date, datetime.date)
        First and last day shown.
    alerts : Sequence of dict
        Alerts of the patient; their onset interval and the night they were raised are marked.
    marks : Sequence of dict
        Changes to mark: ``local_day`` and ``label``.
    questionnaires : Sequence of dict
        PHQ totals to show on an axis of their own: ``local_day``, ``instrument``, ``total``, None where refused.

    Returns
    -------
    dict
        A Vega-Lite specification.
    """
    rows = [_shown(channel["channel"], row) for row in channel["days"]]
    return _fill(
        templates.trend(words.channel(channel["channel"]).label),
        days,
        **_alerts(alerts, days),
        band=[row for row in rows if row["low"] is not None and row["high"] is not None],
        values=[row for row in rows if row["value"] is not None],
        gaps=_gaps(rows, days),
        marks=_marks(marks, days),
        phq=[
            {"day": _iso(row["local_day"]), "total": row["total"], "what": row["instrument"]}
            for row in questionnaires
            if row["total"] is not None and days[0] <= row["local_day"] <= days[1]
        ],
    )


def evidence_chart(channel: Row, days: Days, alerts: Sequence[Row]) -> Spec:
    """Return how unusual each day was, against the limit beyond which an alert is raised.

    Parameters
    ----------
    channel : dict
        The channel whose chart is shown, usually ``combined``.
    days : (datetime.date, datetime.date)
        First and last day shown.
    alerts : Sequence of dict
        Alerts of the patient.
    """
    rows = [
        {"day": _iso(row["local_day"]), "value": row["statistic"], "limit": row["limit_value"]}
        for row in channel["days"]
        if _is_number(row["statistic"])
    ]
    return _fill(templates.evidence(), days, **_alerts(alerts, days), evidence=rows)


def small_multiples(channels: Sequence[Row], days: Days) -> Spec:
    """Return every channel as a small chart with its band, all on the same days.

    Parameters
    ----------
    channels : Sequence of dict
        As `schemas.TrendChannel`.
    days : (datetime.date, datetime.date)
        First and last day shown.
    """
    titles = {channel["channel"]: _title(channel["channel"]) for channel in channels}
    rows = [
        {**_shown(channel["channel"], row), "channel": titles[channel["channel"]]}
        for channel in channels
        for row in channel["days"]
    ]
    return _fill(templates.small_multiples(tuple(titles.values())), days, channels=rows)


def nights_chart(nights: Sequence[Row]) -> Spec:
    """Return the recordings of each night: usable, usable with care, not usable.

    Parameters
    ----------
    nights : Sequence of dict
        As `schemas.Night`.
    """
    kinds = (("n_accepted", "usable"), ("n_warned", "usable with care"), ("n_quarantined", "not usable"))
    rows = [
        {"day": _iso(night["night"]), "kind": label, "n": night[name], "order": order}
        for night in nights
        for order, (name, label) in enumerate(kinds)
    ]
    labels = tuple(label for _, label in kinds)
    return _fill(templates.stacked_bars(labels, (GREEN, SKY, ORANGE), "Recordings", "Night"), counts=rows)


def weeks_chart(weeks: Sequence[Row]) -> Spec:
    """Return how many patients recorded, and how many recordings came, in each week.

    Parameters
    ----------
    weeks : Sequence of dict
        As `schemas.WeekCounts`.
    """
    labels = {"n_patients": "patients who recorded", "n_journals": "recordings", "n_quarantined": "not usable"}
    rows = [
        {"day": _iso(week["week"]), "kind": label, "n": week[name]} for week in weeks for name, label in labels.items()
    ]
    return _fill(templates.weekly_lines(tuple(labels.values())), counts=rows)


def alert_weeks_chart(alerts: Sequence[Row], weeks: Sequence[Row]) -> Spec:
    """Return the alerts raised in each week, by direction; weeks without one stay in the picture.

    Parameters
    ----------
    alerts : Sequence of dict
        As `schemas.AlertWeek`.
    weeks : Sequence of dict
        As `schemas.WeekCounts`: the weeks to show.
    """
    found_directions = {str(row["direction"]) for row in alerts}
    directions = [name for name in DIRECTIONS if name in found_directions]
    directions += sorted(found_directions.difference(DIRECTIONS))
    found = {(row["week"], str(row["direction"])): row["n_alerts"] for row in alerts}
    shown = sorted({row["week"] for row in (*weeks, *alerts)})
    rows = [
        {"day": _iso(week), "kind": name.replace("_", " "), "n": found.get((week, name), 0), "order": order}
        for week in shown
        for order, name in enumerate(directions)
    ]
    kinds = tuple(name.replace("_", " ") for name in directions)
    colours = tuple(DIRECTIONS.get(name, SKY) for name in directions)
    return _fill(templates.stacked_bars(kinds, colours, "Alerts raised", "Week of"), counts=rows)


def agreement_chart(rows: Sequence[Row]) -> Spec:
    """Return correlations of voice and PHQ with their intervals, channel by channel.

    Parameters
    ----------
    rows : Sequence of dict
        As `agreement.chart_rows`.
    """
    return _fill(templates.agreement(), agreement=list(rows))


def to_png(spec: Spec, width: int = PNG_WIDTH) -> bytes:
    """Return a chart as a PNG picture on a white ground, for e-mails and pages without a script.

    Parameters
    ----------
    spec : dict
        A specification made here.
    width : int
        Width of the plot, in pixels.
    """
    import vl_convert

    return bytes(vl_convert.vegalite_to_png(_sized(spec, width), scale=1.5))


def to_svg(spec: Spec, width: int = PNG_WIDTH) -> str:
    """Return a chart as SVG on a white ground, for reports.

    Parameters
    ----------
    spec : dict
        A specification made here.
    width : int
        Width of the plot, in pixels.
    """
    import vl_convert

    return str(vl_convert.vegalite_to_svg(_sized(spec, width)))


def display_value(channel: str, value: float | None) -> float | None:
    """Return a value on the scale people read: the low-mood signal as a probability, the others as they are."""
    if value is None or not math.isfinite(value):
        return None
    return 1.0 / (1.0 + math.exp(-max(-50.0, min(50.0, value)))) if channel == "depression" else value


def _shown(channel: str, row: Row) -> Row:
    names = {"value": "value", "expected": "expected", "low": "band_low", "high": "band_high"}
    shown = {name: display_value(channel, row[column]) for name, column in names.items()}
    return {"day": _iso(row["local_day"]), **shown, "signal": bool(row["signal"]), "n": row["n_journals"] or 0}


def _gaps(rows: Sequence[Row], days: Days) -> list[Row]:
    """Return the days without a value, from the first value on."""
    there = {row["day"][:10] for row in rows if row["value"] is not None}
    first = max(days[0], date.fromisoformat(min(there))) if there else days[0]
    all_days = (first + timedelta(days=n) for n in range((days[1] - first).days + 1))
    return [{"day": _iso(day), "what": "no usable journal"} for day in all_days if day.isoformat() not in there]


def _alerts(alerts: Sequence[Row], days: Days) -> dict[str, list[Row]]:
    """Return where alerts' changes began (``onsets``), and when they were raised (``raised``)."""
    onsets = [
        {"low": _iso(_clip(a["onset_low"], days)), "high": _iso(_clip(a["onset_high"], days) + timedelta(days=1)),
         "what": "change began in here"}
        for a in alerts
        if a["onset_low"] and a["onset_high"] and a["onset_high"] >= days[0]
    ]  # fmt: skip
    raised = [
        {"day": _iso(a["opened_night"]), "what": f"alert raised ({a['severity']})"}
        for a in alerts
        if days[0] <= a["opened_night"] <= days[1] + timedelta(days=1)
    ]
    return {"onsets": onsets, "raised": raised}


def _marks(marks: Sequence[Row], days: Days) -> list[Row]:
    return [
        {"day": _iso(mark["local_day"]), "label": mark["label"]}
        for mark in marks
        if days[0] <= mark["local_day"] <= days[1]
    ]


def _fill(template: str, days: Days | None = None, **datasets: list[Row]) -> Spec:
    """Put days and data into a template; the data end up in the specification under the names it uses."""
    if days is not None:
        for placeholder, day in ((templates.FIRST, days[0]), (templates.END, days[1] + timedelta(days=1))):
            template = template.replace(json.dumps(placeholder), _local(day))
    spec: Spec = json.loads(template)
    if "layer" in spec:  # a layer without data says nothing, but makes Vega warn of its infinite extent
        spec["layer"] = _with_data(spec["layer"], datasets)
    return {**spec, "datasets": {name: rows for name, rows in datasets.items() if rows}}


def _with_data(layers: list[Spec], datasets: dict[str, list[Row]]) -> list[Spec]:
    kept = []
    for layer in layers:
        if "layer" in layer:
            inner = _with_data(layer["layer"], datasets)
            kept += [{**layer, "layer": inner}] if inner else []
        elif "data" not in layer or datasets.get(layer["data"]["name"]):
            kept.append(layer)
    return kept


def _local(day: date) -> str:
    """Return a day as Vega-Lite's date where the reader is, as JSON."""
    return json.dumps({"year": day.year, "month": day.month, "date": day.day})


def _sized(spec: Spec, width: int) -> Spec:
    white = {"background": "white", "view": {"stroke": None}, "font": "sans-serif"}
    return {**spec, **({"width": width} if spec.get("width") == PAGE else {}), "config": white}


def _title(channel: str) -> str:
    found = words.channel(channel)
    return f"{found.label} ({found.unit})" if found.unit else found.label


def _iso(day: date) -> str:
    """Return a day as midnight where the reader is: a bare date would be midnight in UTC, a day early in the west."""
    return f"{day.isoformat()}T00:00:00"


def _clip(day: date, days: tuple[date, date]) -> date:
    return max(days[0], min(day, days[1]))


def _is_number(value: float | None) -> bool:
    return value is not None and math.isfinite(value)
