"""``affect serve``: the web service on its own, with its own login."""

from __future__ import annotations

import ipaddress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

if TYPE_CHECKING:
    from affect_pipeline.serving.database import Database

app = typer.Typer()
console = Console(highlight=False)
VISIT = timedelta(hours=12)


@app.command()
def serve(
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to listen on.")] = 8000,
    model_dir: Annotated[
        Path | None, typer.Option(help="Model folder for live analysis; by default the registry's champion.")
    ] = None,
    https: Annotated[bool, typer.Option(help="Behind HTTPS: send cookies over it only.")] = False,
) -> None:
    """Serve the dashboard and the API: live analysis, uploads, trends, alerts."""
    import uvicorn

    from affect_pipeline.serving.app import create_app
    from affect_pipeline.serving.database import Database
    from affect_pipeline.serving.models import champion
    from affect_pipeline.serving.options import ServingOptions
    from affect_pipeline.settings import get_settings
    from affect_pipeline.warehouse.engine import connect
    from affect_pipeline.warehouse.migrate import migrate

    settings = get_settings()
    engine = connect(settings)
    migrate(engine)
    welcome(Database(settings, engine), host, port)
    web = create_app(
        settings,
        engine=engine,
        load_scorer=champion(settings, model_dir),
        options=ServingOptions(secure_cookies=https),
    )
    uvicorn.run(web, host=host, port=port, log_level="warning", ws_max_queue=4, ws_max_size=1_000_000)


def welcome(database: Database, host: str, port: int) -> None:
    """Say where the service is, and let the first visitor in where only this machine can be that visitor.

    Parameters
    ----------
    database : Database
        Knows who has access.
    host, port : str, int
        Where the service listens.
    """
    from affect_pipeline.serving.people import Person, add_person, count_people, new_token

    address = f"http://{'[' + host + ']' if ':' in host else host}:{port}"
    console.print(f"dashboard  {address}/dashboard\nAPI        {address}/openapi.json")
    if count_people(database):
        console.print("log in     with an access token (`affect people token LOGIN` makes a new one)")
    elif _is_loopback(host):
        add_person(database, Person("developer", "Developer", "admin"))
        token = new_token(database, "developer", expires_at=datetime.now(UTC) + VISIT)
        console.print(
            f"log in     with {token}\n           (nobody has access yet; good for 12 hours, on this machine)"
        )
    else:
        console.print("log in     nobody has access yet: `affect people add LOGIN --role counselor --clinic CLINIC`")


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
