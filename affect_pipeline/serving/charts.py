"""Charts as Vega-Lite, made with Altair: the same specification for pages, e-mails and reports.

Colours are Okabe and Ito's (2008), which people with any colour vision tell apart; shape or position
always says the same thing again.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any

import altair as alt

from affect_pipeline.serving import words

BLUE, ORANGE, GREEN, SKY, GREY = "#0072B2", "#D55E00", "#009E73", "#56B4E9", "#767676"
PAGE = "page"
"""A width that the page's script replaces by the width there is."""

PNG_WIDTH = 760
Row = dict[str, Any]
Spec = dict[str, Any]


def trend_chart(channel: Row, days: tuple[date, date], alerts: Sequence[Row], marks: Sequence[Row] = ()) -> Spec:
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

    Returns
    -------
    dict
        A Vega-Lite specification.
    """
    rows = [_shown(channel["channel"], row) for row in channel["days"]]
    title = words.channel(channel["channel"]).label
    layers = [
        *_alert_layers(alerts, days),
        *_band_layers(rows, days, title),
        *_point_layers(rows, days, title),
        *_gap_layers(rows, days),
        *_mark_layers(marks, days),
    ]
    return _finish(alt.layer(*layers).properties(width=600, height=240), PAGE)


def evidence_chart(channel: Row, days: tuple[date, date], alerts: Sequence[Row]) -> Spec:
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
    base = alt.Chart(_data(rows))
    line = base.mark_line(color=BLUE, strokeWidth=2).encode(x=_day_axis(days), y=alt.Y("value:Q", title="How unusual"))
    limit = base.mark_line(color=ORANGE, strokeDash=[6, 4], strokeWidth=2).encode(x=_day_axis(days), y="limit:Q")
    points = base.mark_point(color=BLUE, filled=True, size=30).encode(
        x=_day_axis(days),
        y="value:Q",
        tooltip=[
            _day_tip(),
            alt.Tooltip("value:Q", title="How unusual", format=".2f"),
            alt.Tooltip("limit:Q", format=".2f"),
        ],
    )
    return _finish(alt.layer(*_alert_layers(alerts, days), limit, line, points).properties(width=600, height=160), PAGE)


def small_multiples(channels: Sequence[Row], days: tuple[date, date]) -> Spec:
    """Return every channel as a small chart with its band, all on the same days.

    Parameters
    ----------
    channels : Sequence of dict
        As `schemas.TrendChannel`.
    days : (datetime.date, datetime.date)
        First and last day shown.
    """
    rows = [
        {**_shown(channel["channel"], row), "channel": _title(channel["channel"])}
        for channel in channels
        for row in channel["days"]
    ]
    base = alt.Chart(_data(rows))
    band = base.mark_area(color=SKY, opacity=0.3).encode(
        x=_day_axis(days, ticks=4), y=alt.Y("low:Q", title=None), y2="high:Q"
    )
    points = base.mark_point(filled=True, size=16, color=BLUE, opacity=1).encode(
        x=_day_axis(days, ticks=4),
        y=alt.Y("value:Q", title=None, scale=alt.Scale(zero=False)),
        tooltip=[alt.Tooltip("channel:N", title="Channel"), _day_tip(), alt.Tooltip("value:Q", format=".2f")],
    )
    order = [_title(channel["channel"]) for channel in channels]
    layer = band.transform_filter("isValid(datum.low)") + points.transform_filter("isValid(datum.value)")
    chart = layer.properties(width=270, height=110).facet(
        facet=alt.Facet("channel:N", title=None, sort=order, header=alt.Header(labelAnchor="start")), columns=2
    )
    spec = _finish(chart.resolve_scale(y="independent"), None)
    spec["usermeta"] = {"columnWidth": 340}
    return spec


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
    return _stacked_bars(rows, [label for _, label in kinds], [GREEN, SKY, ORANGE], "Recordings", "Night")


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
    kinds = list(labels.values())
    colours = alt.Scale(domain=kinds, range=[BLUE, GREEN, ORANGE])
    chart = (
        alt.Chart(_data(rows))
        .mark_line(point=alt.OverlayMarkDef(filled=True, size=36), strokeWidth=2)
        .encode(
            x=_column_axis(),
            y=alt.Y("n:Q", title="per week"),
            color=alt.Color("kind:N", title=None, scale=colours, legend=alt.Legend(orient="top")),
            shape=alt.Shape("kind:N", title=None, scale=alt.Scale(domain=kinds)),
            tooltip=_count_tips("Week of"),
        )
        .properties(width=600, height=220)
    )
    return _finish(chart, PAGE)


def alert_weeks_chart(alerts: Sequence[Row], weeks: Sequence[Row]) -> Spec:
    """Return the alerts raised in each week, by direction; weeks without one stay in the picture.

    Parameters
    ----------
    alerts : Sequence of dict
        As `schemas.AlertWeek`.
    weeks : Sequence of dict
        As `schemas.WeekCounts`: the weeks to show.
    """
    directions = sorted({str(row["direction"]) for row in alerts})
    found = {(row["week"], str(row["direction"])): row["n_alerts"] for row in alerts}
    shown = sorted({row["week"] for row in (*weeks, *alerts)})
    rows = [
        {"day": _iso(week), "kind": name.replace("_", " "), "n": found.get((week, name), 0), "order": order}
        for week in shown
        for order, name in enumerate(directions)
    ]
    kinds = [name.replace("_", " ") for name in directions]
    return _stacked_bars(rows, kinds, [ORANGE, BLUE, GREEN, SKY, GREY][: len(kinds)], "Alerts raised", "Week of")


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


def _band_layers(rows: Sequence[Row], days: tuple[date, date], title: str) -> list[alt.Chart]:
    base = alt.Chart(_data([row for row in rows if row["low"] is not None and row["high"] is not None]))
    y = alt.Y("low:Q", title=title, scale=alt.Scale(zero=False))
    band = base.mark_area(color=SKY, opacity=0.3).encode(x=_day_axis(days), y=y, y2="high:Q")
    usual = base.mark_line(color=GREY, strokeDash=[2, 3]).encode(x=_day_axis(days), y="expected:Q")
    return [band, usual]


def _point_layers(rows: Sequence[Row], days: tuple[date, date], title: str) -> list[alt.Chart]:
    base = alt.Chart(_data([row for row in rows if row["value"] is not None]))
    y = alt.Y("value:Q", title=title, scale=alt.Scale(zero=False))
    line = base.mark_line(color=BLUE, opacity=0.35, strokeWidth=1).encode(x=_day_axis(days), y=y)
    points = base.mark_point(filled=True, opacity=1).encode(
        x=_day_axis(days),
        y=y,
        color=alt.condition("datum.signal", alt.value(ORANGE), alt.value(BLUE)),
        shape=alt.condition("datum.signal", alt.value("triangle-up"), alt.value("circle")),
        size=alt.condition("datum.signal", alt.value(80), alt.value(36)),
        tooltip=[
            _day_tip(),
            alt.Tooltip("value:Q", title="Value", format=".2f"),
            alt.Tooltip("expected:Q", title="Usual", format=".2f"),
            alt.Tooltip("n:Q", title="Journals"),
        ],
    )
    return [line, points]


def _gap_layers(rows: Sequence[Row], days: tuple[date, date]) -> list[alt.Chart]:
    """Mark days without a value as ticks at the bottom, from the first value on."""
    there = {row["day"][:10] for row in rows if row["value"] is not None}
    first = max(days[0], date.fromisoformat(min(there))) if there else days[0]
    n_days = (days[1] - first).days + 1
    missing = [day for n in range(n_days) if (day := first + timedelta(days=n)).isoformat() not in there]
    data = _data([{"day": _iso(day), "what": "no usable journal"} for day in missing])
    ticks = (
        alt.Chart(data)
        .mark_tick(color=GREY, thickness=2, size=9, orient="vertical")
        .encode(x=_day_axis(days), y=alt.value("height"), tooltip=[_day_tip(), alt.Tooltip("what:N", title="Gap")])
    )
    return [ticks]


def _alert_layers(alerts: Sequence[Row], days: tuple[date, date]) -> list[alt.Chart]:
    onsets = [
        {"low": _iso(_clip(a["onset_low"], days)), "high": _iso(_clip(a["onset_high"], days)),
         "what": "change began in here"}
        for a in alerts
        if a["onset_low"] and a["onset_high"] and a["onset_high"] >= days[0]
    ]  # fmt: skip
    raised = [
        {"day": _iso(a["opened_night"]), "what": f"alert raised ({a['severity']})"}
        for a in alerts
        if days[0] <= a["opened_night"] <= days[1] + timedelta(days=1)
    ]
    onset = (
        alt.Chart(_data(onsets))
        .mark_rect(color=ORANGE, opacity=0.16)
        .encode(x=alt.X("low:T"), x2="high:T", tooltip=[alt.Tooltip("what:N", title="Onset")])
    )
    rule = (
        alt.Chart(_data(raised))
        .mark_rule(color=ORANGE, strokeWidth=2)
        .encode(x=_day_axis(days), tooltip=[_day_tip(), alt.Tooltip("what:N", title="Alert")])
    )
    label = (
        alt.Chart(_data(raised))
        .mark_text(align="left", dx=4, dy=6, baseline="top", fontSize=11, style="note")
        .encode(x=_day_axis(days), y=alt.value(0), text=alt.value("alert"))
    )
    return [onset, rule, label]


def _mark_layers(marks: Sequence[Row], days: tuple[date, date]) -> list[alt.Chart]:
    rows = [
        {"day": _iso(mark["local_day"]), "label": mark["label"]}
        for mark in marks
        if days[0] <= mark["local_day"] <= days[1]
    ]
    base = alt.Chart(_data(rows))
    rule = base.mark_rule(color=GREEN, strokeDash=[3, 3], strokeWidth=1.5).encode(
        x=_day_axis(days), tooltip=[_day_tip(), alt.Tooltip("label:N", title="Changed")]
    )
    text = base.mark_text(align="left", dx=4, dy=-4, baseline="bottom", fontSize=11, style="note").encode(
        x=_day_axis(days), y=alt.value("height"), text="label:N"
    )
    return [rule, text]


def _stacked_bars(rows: Sequence[Row], kinds: Sequence[str], colours: Sequence[str], title: str, unit: str) -> Spec:
    colour = alt.Scale(domain=list(kinds), range=list(colours))
    chart = (
        alt.Chart(_data(rows))
        .mark_bar()
        .encode(
            x=_column_axis(),
            y=alt.Y("n:Q", title=title, axis=alt.Axis(tickMinStep=1)),
            color=alt.Color("kind:N", title=None, scale=colour, legend=alt.Legend(orient="top")),
            order="order:Q",
            tooltip=_count_tips(unit),
        )
        .properties(width=600, height=220)
    )
    return _finish(chart, PAGE)


def _column_axis() -> alt.X:
    """Return an axis with one column a night or week, so that a single one is not as wide as the chart."""
    axis = alt.Axis(format="%-d %b", formatType="time", labelAngle=0, labelOverlap=True, grid=False)
    return alt.X("day:O", timeUnit="yearmonthdate", title=None, axis=axis)


def _count_tips(day: str) -> list[alt.Tooltip]:
    return [_day_tip(day), alt.Tooltip("kind:N", title="What"), alt.Tooltip("n:Q", title="Number")]


def _day_axis(days: tuple[date, date], ticks: int = 8) -> alt.X:
    domain = [_local(days[0]), _local(days[1] + timedelta(days=1))]
    axis = alt.Axis(format="%-d %b", tickCount=ticks, grid=False, labelOverlap=True)
    return alt.X("day:T", title=None, scale=alt.Scale(domain=domain), axis=axis)


def _day_tip(title: str = "Day") -> alt.Tooltip:
    return alt.Tooltip("day:T", title=title, format="%-d %b %Y")


def _finish(chart: Any, width: str | None) -> Spec:
    spec: Spec = chart.to_dict(validate=False)
    spec.pop("config", None)
    if width is not None:
        spec["width"] = width
    return spec


def _sized(spec: Spec, width: int) -> Spec:
    white = {"background": "white", "view": {"stroke": None}, "font": "sans-serif"}
    return {**spec, **({"width": width} if spec.get("width") == PAGE else {}), "config": white}


def _title(channel: str) -> str:
    found = words.channel(channel)
    return f"{found.label} ({found.unit})" if found.unit else found.label


def _data(rows: Sequence[Row]) -> Any:
    return alt.InlineData(values=list(rows))


def _iso(day: date) -> str:
    """Return a day as midnight where the reader is: a bare date would be midnight in UTC, a day early in the west."""
    return f"{day.isoformat()}T00:00:00"


def _local(day: date) -> alt.DateTime:
    return alt.DateTime(year=day.year, month=day.month, date=day.day)


def _clip(day: date, days: tuple[date, date]) -> date:
    return max(days[0], min(day, days[1]))


def _is_number(value: float | None) -> bool:
    return value is not None and math.isfinite(value)
