"""What the charts look like, as Vega-Lite specifications made with Altair; `charts` fills in the numbers.

Altair takes a tenth of a second for a chart of several layers. What a chart looks like does not depend on the
patient, so each kind is built once a process: its data are names (``datasets``), its days are placeholders.

Colours are Okabe and Ito's (2008), which people with any colour vision tell apart; shape or position
always says the same thing again.
"""

from __future__ import annotations

import json
from functools import lru_cache
from typing import Any

import altair as alt

BLUE, ORANGE, GREEN, SKY, GREY = "#0072B2", "#D55E00", "#009E73", "#56B4E9", "#767676"
PURPLE = "#A6508A"
"""Their reddish purple, darker: it has to stand out on white and on black."""

FIRST, END = "@first day", "@end"
"""Stand for the first day shown and the day after the last one."""

PAGE = "page"
"""A width that the page's script replaces by the width there is."""


@lru_cache(maxsize=64)
def trend(title: str) -> str:
    """Return the chart of one channel over time, as JSON.

    Its data are ``onsets``, ``raised``, ``band``, ``values``, ``gaps`` and ``marks``, and ``phq`` on its own axis.

    Parameters
    ----------
    title : str
        Title of the value axis.
    """
    layers = [*_alert_layers(), *_band_layers(title), *_point_layers(title), *_gap_layers(), *_mark_layers()]
    both = alt.layer(alt.layer(*layers), _phq_layer()).resolve_scale(y="independent")
    return _finish(both.properties(width=600, height=240), PAGE)


@lru_cache(maxsize=1)
def evidence() -> str:
    """Return the chart of how unusual each day was, as JSON; data ``onsets``, ``raised`` and ``evidence``."""
    base = alt.Chart(alt.NamedData("evidence"))
    line = base.mark_line(color=BLUE, strokeWidth=2).encode(x=_day_axis(), y=alt.Y("value:Q", title="How unusual"))
    limit = base.mark_line(color=ORANGE, strokeDash=[6, 4], strokeWidth=2).encode(x=_day_axis(), y="limit:Q")
    points = base.mark_point(color=BLUE, filled=True, size=30).encode(
        x=_day_axis(),
        y="value:Q",
        tooltip=[
            _day_tip(),
            alt.Tooltip("value:Q", title="How unusual", format=".2f"),
            alt.Tooltip("limit:Q", title="Limit", format=".2f"),
        ],
    )
    return _finish(alt.layer(*_alert_layers(), limit, line, points).properties(width=600, height=160), PAGE)


@lru_cache(maxsize=64)
def small_multiples(order: tuple[str, ...]) -> str:
    """Return a small chart for each channel, all on the same days, as JSON; data ``channels``.

    Parameters
    ----------
    order : tuple of str
        Titles of the channels, in the order they are shown.
    """
    base = alt.Chart(alt.NamedData("channels"))
    band = base.mark_area(color=SKY, opacity=0.3).encode(
        x=_day_axis(ticks=4), y=alt.Y("low:Q", title=None), y2="high:Q"
    )
    points = base.mark_point(filled=True, size=16, color=BLUE, opacity=1).encode(
        x=_day_axis(ticks=4),
        y=alt.Y("value:Q", title=None, scale=alt.Scale(zero=False)),
        tooltip=[alt.Tooltip("channel:N", title="Channel"), _day_tip(), alt.Tooltip("value:Q", format=".2f")],
    )
    layer = band.transform_filter("isValid(datum.low)") + points.transform_filter("isValid(datum.value)")
    chart = layer.properties(width=270, height=110).facet(
        facet=alt.Facet("channel:N", title=None, sort=list(order), header=alt.Header(labelAnchor="start")), columns=2
    )
    # An axis of its own below each: a shared one would stand below the empty place in the last row, too.
    own = chart.resolve_scale(y="independent").resolve_axis(x="independent")
    return _finish(own, None, {"columnWidth": 340})


@lru_cache(maxsize=1)
def agreement() -> str:
    """Return correlations with their intervals, one below the other for each channel, as JSON; data ``agreement``."""
    kinds = ["within patients", "between patients"]
    base = alt.Chart(alt.NamedData("agreement"))
    y = alt.Y("channel:N", title=None, sort=None, axis=alt.Axis(labelLimit=220))
    apart = alt.YOffset("kind:N", sort=kinds)
    colours = alt.Scale(domain=kinds, range=[BLUE, ORANGE])
    colour = alt.Color("kind:N", title=None, scale=colours, legend=alt.Legend(orient="top"))
    shape = alt.Shape("kind:N", title=None, scale=alt.Scale(domain=kinds, range=["circle", "square"]))
    x = alt.X("r:Q", title="Correlation with the PHQ", scale=alt.Scale(domain=[-1, 1]))
    tips = [
        alt.Tooltip("channel:N", title="Channel"),
        alt.Tooltip("kind:N", title="What"),
        alt.Tooltip("r:Q", title="Correlation", format=".2f"),
        alt.Tooltip("low:Q", title="from", format=".2f"),
        alt.Tooltip("high:Q", title="to", format=".2f"),
    ]
    bars = base.mark_rule(strokeWidth=2).encode(x=alt.X("low:Q"), x2="high:Q", y=y, yOffset=apart, color=colour)
    points = base.mark_point(filled=True, size=70, opacity=1).encode(
        x=x, y=y, yOffset=apart, color=colour, shape=shape, tooltip=tips
    )
    return _finish(alt.layer(bars, points).properties(width=600, height=alt.Step(18)), PAGE)


@lru_cache(maxsize=64)
def stacked_bars(kinds: tuple[str, ...], colours: tuple[str, ...], title: str, unit: str) -> str:
    """Return a column of counts for each night or week, as JSON; data ``counts``.

    Parameters
    ----------
    kinds, colours : tuple of str
        What is counted, and its colours.
    title, unit : str
        Title of the value axis, and what a column is.
    """
    colour = alt.Scale(domain=list(kinds), range=list(colours))
    chart = (
        alt.Chart(alt.NamedData("counts"))
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


@lru_cache(maxsize=4)
def weekly_lines(kinds: tuple[str, ...]) -> str:
    """Return a line of counts by week for each kind, as JSON; data ``counts``."""
    colours = alt.Scale(domain=list(kinds), range=[BLUE, GREEN, ORANGE])
    chart = (
        alt.Chart(alt.NamedData("counts"))
        .mark_line(point=alt.OverlayMarkDef(filled=True, size=36), strokeWidth=2)
        .encode(
            x=_column_axis(),
            y=alt.Y("n:Q", title="per week"),
            color=alt.Color("kind:N", title=None, scale=colours, legend=alt.Legend(orient="top")),
            shape=alt.Shape("kind:N", title=None, scale=alt.Scale(domain=list(kinds))),
            tooltip=_count_tips("Week of"),
        )
        .properties(width=600, height=220)
    )
    return _finish(chart, PAGE)


def _band_layers(title: str) -> list[alt.Chart]:
    base = alt.Chart(alt.NamedData("band"))
    y = alt.Y("low:Q", title=title, scale=alt.Scale(zero=False))
    band = base.mark_area(color=SKY, opacity=0.3).encode(x=_day_axis(), y=y, y2="high:Q")
    usual = base.mark_line(color=GREY, strokeDash=[2, 3]).encode(x=_day_axis(), y="expected:Q")
    return [band, usual]


def _point_layers(title: str) -> list[alt.Chart]:
    base = alt.Chart(alt.NamedData("values"))
    y = alt.Y("value:Q", title=title, scale=alt.Scale(zero=False))
    line = base.mark_line(color=BLUE, opacity=0.35, strokeWidth=1).encode(x=_day_axis(), y=y)
    points = base.mark_point(filled=True, opacity=1).encode(
        x=_day_axis(),
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


def _phq_layer() -> alt.Chart:
    axis = alt.Axis(orient="right", grid=False, tickMinStep=1, titleColor=PURPLE)
    points: alt.Chart = (
        alt.Chart(alt.NamedData("phq"))
        .mark_point(shape="diamond", filled=True, size=110, color=PURPLE, opacity=1)
        .encode(
            x=_day_axis(),
            y=alt.Y("total:Q", title="PHQ total", scale=alt.Scale(domain=[0, 27]), axis=axis),
            tooltip=[
                _day_tip(),
                alt.Tooltip("what:N", title="Questionnaire"),
                alt.Tooltip("total:Q", title="Total"),
            ],
        )
    )
    return points


def _gap_layers() -> list[alt.Chart]:
    """Mark days without a value as ticks at the bottom."""
    ticks = (
        alt.Chart(alt.NamedData("gaps"))
        .mark_tick(color=GREY, thickness=2, size=9, orient="vertical")
        .encode(x=_day_axis(), y=alt.value("height"), tooltip=[_day_tip(), alt.Tooltip("what:N", title="Gap")])
    )
    return [ticks]


def _alert_layers() -> list[alt.Chart]:
    """Mark when changes probably began, and the nights on which alerts were raised."""
    onset = (
        alt.Chart(alt.NamedData("onsets"))
        .mark_rect(color=ORANGE, opacity=0.16)
        .encode(x=alt.X("low:T"), x2="high:T", tooltip=[alt.Tooltip("what:N", title="Onset")])
    )
    raised = alt.Chart(alt.NamedData("raised"))
    rule = raised.mark_rule(color=ORANGE, strokeWidth=2).encode(
        x=_day_axis(), tooltip=[_day_tip(), alt.Tooltip("what:N", title="Alert")]
    )
    label = raised.mark_text(align="left", dx=4, dy=6, baseline="top", fontSize=11, style="note").encode(
        x=_day_axis(), y=alt.value(0), text=alt.value("alert")
    )
    return [onset, rule, label]


def _mark_layers() -> list[alt.Chart]:
    base = alt.Chart(alt.NamedData("marks"))
    rule = base.mark_rule(color=GREEN, strokeDash=[3, 3], strokeWidth=1.5).encode(
        x=_day_axis(), tooltip=[_day_tip(), alt.Tooltip("label:N", title="Changed")]
    )
    text = base.mark_text(align="left", dx=4, dy=-4, baseline="bottom", fontSize=11, style="note").encode(
        x=_day_axis(), y=alt.value("height"), text="label:N"
    )
    return [rule, text]


def _column_axis() -> alt.X:
    """Return an axis with one column a night or week, so that a single one is not as wide as the chart."""
    axis = alt.Axis(format="%-d %b", formatType="time", labelAngle=0, labelOverlap=True, grid=False)
    return alt.X("day:O", timeUnit="yearmonthdate", title=None, axis=axis)


def _count_tips(day: str) -> list[alt.Tooltip]:
    return [_day_tip(day), alt.Tooltip("kind:N", title="What"), alt.Tooltip("n:Q", title="Number")]


def _day_axis(ticks: int = 8) -> alt.X:
    axis = alt.Axis(format="%-d %b", tickCount=ticks, grid=False, labelOverlap=True)
    return alt.X("day:T", title=None, scale=alt.Scale(domain=[FIRST, END]), axis=axis)


def _day_tip(title: str = "Day") -> alt.Tooltip:
    return alt.Tooltip("day:T", title=title, format="%-d %b %Y")


def _finish(chart: Any, width: str | None, usermeta: dict[str, Any] | None = None) -> str:
    spec = chart.to_dict(validate=False)
    spec.pop("config", None)
    if width is not None:
        spec["width"] = width
    if usermeta is not None:
        spec["usermeta"] = usermeta
    return json.dumps(spec)
