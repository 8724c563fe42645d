"""``affect report``, ``affect trends`` and ``affect digest``: what the dashboard says, elsewhere."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console

if TYPE_CHECKING:
    from affect_pipeline.serving.database import Queries

app = typer.Typer()
console = Console(highlight=False)
BARS = "▁▂▃▄▅▆▇█"

Patient = Annotated[str, typer.Argument(help="Pseudonym of the patient, or enough of its beginning.")]
Login = Annotated[str, typer.Option("--as", help="See what this person may see; by default everything.")]


@app.command()
def report(
    patient: Patient,
    *,
    first: Annotated[datetime | None, typer.Option("--from", formats=["%Y-%m-%d"], help="First day.")] = None,
    last: Annotated[datetime | None, typer.Option("--to", formats=["%Y-%m-%d"], help="Last day.")] = None,
    out: Annotated[Path | None, typer.Option(help="File to write, .pdf or .html; by default report-KEY.pdf.")] = None,
    login: Login = "",
) -> None:
    """Write a one-page report on a patient that a counselor can file."""
    from affect_pipeline import files
    from affect_pipeline.errors import SettingsError
    from affect_pipeline.serving.reports import report_svg, to_html, to_pdf

    path = out or Path(f"report-{patient[:8]}.pdf")
    if path.suffix not in (".pdf", ".html"):
        raise SettingsError(f"{path.name} ends in neither .pdf nor .html")
    with _queries(login) as queries:
        key = _patient_key(queries, patient)
        svg = report_svg(queries, key, first.date() if first else None, last.date() if last else None)
    if path.suffix == ".pdf":
        files.write_bytes(to_pdf(svg), path)
    else:
        files.write_text(to_html(svg, key), path)
    console.print(f"wrote {path}")


@app.command()
def trends(
    patient: Annotated[str, typer.Argument(help="Pseudonym, or its beginning; without it, the patients' list.")] = "",
    days: Annotated[int, typer.Option(help="Days to show.", min=7, max=1100)] = 28,
    state: Annotated[str, typer.Option(help="Only patients in this state: alert, stable, too_little_data.")] = "",
    login: Login = "",
) -> None:
    """Show how patients sound over time, in the terminal."""
    with _queries(login) as queries:
        if patient:
            _show_patient(queries, _patient_key(queries, patient), days)
        else:
            _show_patients(queries, state or None, days)


@app.command()
def digest(
    send: Annotated[bool, typer.Option(help="Send it to AFFECT_NOTIFY_URLS, with the chart as a picture.")] = False,
    picture: Annotated[Path | None, typer.Option(help="Also write the chart to this PNG file.")] = None,
    login: Login = "",
) -> None:
    """Print the weekly digest, and send it if asked to."""
    from affect_pipeline import files
    from affect_pipeline.errors import SettingsError
    from affect_pipeline.notify import notifier_of
    from affect_pipeline.serving.digest import weekly_digest
    from affect_pipeline.settings import get_settings

    with _queries(login) as queries:
        message = weekly_digest(queries)
    if message is None:
        console.print("No night has been worked on yet.")
        return
    console.print(f"[bold]{message.title}[/]\n\n{message.body}")
    if picture and message.picture:
        files.write_bytes(message.picture, picture)
    if send:
        if not get_settings().notify_urls:
            raise SettingsError("nobody was told: AFFECT_NOTIFY_URLS is empty; it takes Apprise URLs, comma-separated")
        notifier_of(get_settings()).send(message)


def sparkline(values: list[float | None]) -> str:
    """Return values as a line of blocks, one a value, from the lowest to the highest; a gap is a space.

    Examples
    --------
    >>> sparkline([0.0, None, 0.5, 1.0])
    '▁ ▅█'
    """
    known = [value for value in values if value is not None]
    if not known:
        return " " * len(values)
    low, span = min(known), (max(known) - min(known)) or 1.0
    top = len(BARS) - 1
    return "".join(" " if value is None else BARS[int((value - low) / span * top + 0.5)] for value in values)


@contextmanager
def _queries(login: str) -> Iterator[Queries]:
    from affect_pipeline.serving.database import Database
    from affect_pipeline.settings import get_settings

    database = Database(get_settings())
    with database.as_person(login) if login else database.as_service() as queries:
        yield queries


def _patient_key(queries: Queries, beginning: str) -> str:
    from affect_pipeline.errors import SettingsError
    from affect_pipeline.serving.patients import patient_page

    start = beginning.lower()
    if not start or set(start) - set("0123456789abcdef"):
        raise SettingsError(f"{beginning!r} is not the beginning of a pseudonym: 0 to 9 and a to f only")
    found = patient_page(queries, 2, None, clinic=None, state=None, key_prefix=start)["patients"]
    if len(found) != 1:
        many = "several patients begin" if found else "no patient begins"
        raise SettingsError(f"{many} with {beginning!r}; `affect trends` lists them")
    return str(found[0]["patient_key"])


def _show_patient(queries: Queries, patient_key: str, days: int) -> None:
    from datetime import timedelta

    from rich.table import Table

    from affect_pipeline.serving import words
    from affect_pipeline.serving.charts import display_value
    from affect_pipeline.serving.patients import patient, trend

    row = patient(queries, patient_key)
    last = row["last_day"] or row["first_night"]
    shown = trend(queries, row, last - timedelta(days=days - 1), last)
    span = [shown["first_day"] + timedelta(days=n) for n in range(days)]
    console.print(
        f"[bold]{patient_key}[/]  {row['clinic'] or 'no clinic'}  {words.long_day(span[0])} to {words.long_day(last)}"
    )
    table = Table("channel", "usual", "newest", "trend", box=None)
    for channel in shown["channels"]:
        name, known = channel["channel"], words.channel(channel["channel"])
        of_day = {day["local_day"]: display_value(name, day["value"]) for day in channel["days"]}
        if name == "combined":
            of_day = {day["local_day"]: day["statistic"] for day in channel["days"]}
        values = [of_day.get(day) for day in span]
        newest = next((value for value in reversed(values) if value is not None), None)
        usual = display_value(name, (channel["baseline"] or {}).get("mean"))
        table.add_row(
            known.label, words.number(usual, known.digits), words.number(newest, known.digits), sparkline(values)
        )
    table.columns[-1].no_wrap = True
    console.print(table)
    for alert in shown["alerts"]:
        console.print(f"{alert['state']} {alert['severity']} {alert['direction']}: {alert['explanation']}")


def _show_patients(queries: Queries, state: str | None, days: int) -> None:
    from rich.table import Table

    from affect_pipeline.serving import words
    from affect_pipeline.serving.patients import patient, patient_page, trend

    table = Table("patient", "state", "clinic", "last journal", f"low-mood signal, {days} days", box=None)
    found = patient_page(queries, 50, None, clinic=None, state=state, key_prefix=None)
    for row in found["patients"]:
        table.add_row(
            row["patient_key"][:8],
            row["state"].replace("_", " "),
            row["clinic"] or words.NONE,
            words.long_day(row["last_day"]),
            _line(trend(queries, patient(queries, row["patient_key"])), days),
        )
    table.columns[-1].no_wrap = True
    console.print(table)
    if found["next_cursor"]:
        console.print("The first 50 patients are shown; --state and the dashboard narrow them down.")


def _line(shown: dict[str, object], days: int) -> str:
    from datetime import date, timedelta

    channels = shown["channels"]
    assert isinstance(channels, list)
    rows: list[Any] = next((channel["days"] for channel in channels if channel["channel"] == "depression"), [])
    last = shown["last_day"]
    assert isinstance(last, date)
    of_day = {row["local_day"]: row["value"] for row in rows}
    return sparkline([of_day.get(last - timedelta(days=n)) for n in range(days - 1, -1, -1)])
