"""``affect alerts``: what the machine raised, why, and whether it can be made again."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import typer

app = typer.Typer(no_args_is_help=True, help="Drift alerts: list, explain, make again.")

Alert = Annotated[str, typer.Argument(help="Identity of the alert, or how it begins.")]


@app.command("list")
def list_alerts(
    everything: Annotated[bool, typer.Option("--all", help="Resolved alerts, too.")] = False,
    clinic: Annotated[str | None, typer.Option(help="Only of this clinic.")] = None,
) -> None:
    """List alerts, the most pressing first. When there are more than a team can look at, none is dropped."""
    import sqlalchemy as sa
    from rich.console import Console
    from rich.table import Table

    from affect_pipeline.monitoring.burden import burden
    from affect_pipeline.settings import get_settings
    from affect_pipeline.warehouse.engine import connect
    from affect_pipeline.warehouse.queries import sql

    settings = get_settings()
    with connect(settings).connect() as connection:
        values = {"everything": everything, "clinic": clinic}
        teams = burden(settings, connection.execute(sa.text(sql("serving/summarise_alert_burden"))).mappings().all())
        rows = connection.execute(sa.text(sql("monitor/list_alerts")), values).all()
    table = Table("alert", "patient", "clinic", "direction", "severity", "state", "raised", "since about", "rank")
    for row in rows:
        table.add_row(
            row.alert_id[:12], row.patient_key[:8], row.clinic or "-", row.direction, row.severity, row.state,
            str(row.opened_night), str(row.onset_day or "-"), f"{row.score:.1f}",
        )  # fmt: skip
    console = Console(width=max(Console().width, 130))
    console.print(table)
    for team in teams:
        if team.exceeded and clinic in (None, team.clinic):
            console.print(team.words(), highlight=False)


@app.command("known")
def note_known_change(
    patient: Annotated[str, typer.Argument(help="Patient key, or how it begins.")],
    *,
    since: Annotated[datetime, typer.Option(formats=["%Y-%m-%d"], help="First day of the change.")],
    source: Annotated[str, typer.Option(help="How it is known: admission, questionnaire, ...")],
    actor: Annotated[str, typer.Option(help="Who says so.")] = "command line",
) -> None:
    """Note a change for the worse that is known from elsewhere, so that misses can be counted (see `fairness`)."""
    from affect_pipeline.monitoring.known import note
    from affect_pipeline.settings import get_settings
    from affect_pipeline.warehouse.engine import connect

    with connect(get_settings()).begin() as connection:
        key = note(connection, patient, since.date(), source, actor)
    typer.echo(f"{key}: change since {since.date()} noted ({source})")


@app.command("fairness")
def show_fairness(
    dimension: Annotated[str | None, typer.Option(help="sex, age_band, language, device or clinic.")] = None,
) -> None:
    """Show how alerts, misses and recording fall on groups of patients."""
    import sqlalchemy as sa
    from rich.console import Console
    from rich.table import Table

    from affect_pipeline.settings import get_settings
    from affect_pipeline.warehouse.engine import connect
    from affect_pipeline.warehouse.queries import sql

    with connect(get_settings()).connect() as connection:
        rows = connection.execute(sa.text(sql("queries/rate_alerts_by_group")), {"dimension": dimension}).all()
    table = Table(
        "group", "value", "patients", "alerts", "alerted", "alerts / 90 d", "days recorded", "known changes", "missed",
        "miss rate",
    )  # fmt: skip
    for row in rows:
        table.add_row(
            row.dimension, row.group_name or "not known", str(row.n_patients), str(row.n_alerts),
            f"{row.share_alerted:.2f}", _share(row.alerts_per_patient_90_days), _share(row.share_of_days_recorded),
            str(row.n_known_changes), str(row.n_missed), _share(row.miss_rate),
        )  # fmt: skip
    Console(width=max(Console().width, 130)).print(table)


def _share(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"


@app.command("show")
def show_alert(alert: Alert) -> None:
    """Explain one alert and show what was done with it, night by night."""
    from rich.console import Console
    from rich.table import Table

    from affect_pipeline.monitoring.audit import find_alert, list_events
    from affect_pipeline.settings import get_settings
    from affect_pipeline.warehouse.engine import connect

    console = Console()
    with connect(get_settings()).connect() as connection:
        found = find_alert(connection, alert)
        events = list_events(connection, found["alert_id"])
    console.print(f"[bold]{found['alert_id']}[/]: {found['direction']}, {found['severity']}, {found['state']}")
    console.print(found["explanation"], highlight=False)
    table = Table("night", "what", "severity", "rank")
    for event in events:
        table.add_row(str(event["night"]), event["kind"], event["severity"], f"{event['score']:.1f}")
    console.print(table)
    console.print_json(data=found["evidence"])


@app.command("replay")
def replay_alert(alert: Alert) -> None:
    """Make one alert again from journals, model, settings and baseline; say "identical", or what differs."""
    from rich.console import Console

    from affect_pipeline.monitoring.audit import replay
    from affect_pipeline.settings import get_settings
    from affect_pipeline.warehouse.engine import connect

    console = Console()
    settings = get_settings()
    with connect(settings).connect() as connection:
        result = replay(connection, settings, alert)
    console.print(
        f"{result.alert_id}: made again from {result.n_journals} journals; "
        f"{result.n_recordings_checked} stored recordings hashed again",
        highlight=False,
    )
    if result.identical:
        console.print("identical")
        return
    for difference in result.differences:
        console.print(f"{difference.what}: stored {difference.stored}, now {difference.now}", highlight=False)
    raise typer.Exit(1)
