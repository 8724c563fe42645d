"""``affect people``: who may look in, and how far."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table

if TYPE_CHECKING:
    from affect_pipeline.serving.database import Database

app = typer.Typer(no_args_is_help=True, help="Who may look into the warehouse through the web, and how far.")
console = Console(highlight=False)
Login = Annotated[str, typer.Argument(help="Name in the warehouse; inside Airflow, the Airflow user name.")]


def _database() -> Database:
    from affect_pipeline.serving.database import Database
    from affect_pipeline.settings import get_settings

    return Database(get_settings())


@app.command()
def add(
    login: Login,
    *,
    name: Annotated[str, typer.Option(help="Name shown to colleagues; by default the login.")] = "",
    role: Annotated[str, typer.Option(help="counselor, analyst or admin.")] = "counselor",
    clinic: Annotated[list[str] | None, typer.Option(help="Clinic the person works for; may be repeated.")] = None,
    only_assigned: Annotated[bool, typer.Option(help="See only patients assigned to the person.")] = False,
    token: Annotated[bool, typer.Option(help="Make an access token (not needed inside Airflow).")] = True,
) -> None:
    """Add a person, or change what one may see; prints an access token, once."""
    from affect_pipeline.serving.people import Person, add_person, new_token

    database = _database()
    sees = "assigned" if only_assigned else "clinic"
    add_person(database, Person(login, name or login, role, tuple(clinic or ()), sees))
    console.print(f"{login} may look in as {role}.")
    if token:
        console.print(f"access token, shown this once: {new_token(database, login)}")


@app.command()
def token(
    login: Login,
    upload_only: Annotated[
        bool, typer.Option(help="For a program that only analyses and delivers recordings.")
    ] = False,
    days: Annotated[int, typer.Option(help="Days until it stops working; 0 means never.", min=0)] = 365,
) -> None:
    """Make a further access token for a person; prints it, once."""
    from affect_pipeline.serving.people import new_token

    expires_at = datetime.now(UTC) + timedelta(days=days) if days else None
    made = new_token(_database(), login, "upload" if upload_only else "everything", expires_at)
    console.print(f"access token, shown this once: {made}")


@app.command()
def remove(login: Login) -> None:
    """End all access of a person at once; what the person did stays on record."""
    from affect_pipeline.serving.people import end_access

    end_access(_database(), login)
    console.print(f"{login} has no access any more.")


@app.command()
def assign(login: Login, patient_key: Annotated[str, typer.Argument(help="Pseudonym of the patient.")]) -> None:
    """Let a person look after a patient."""
    from affect_pipeline.serving.people import assign_patient

    assign_patient(_database(), login, patient_key)
    console.print(f"{login} looks after {patient_key}.")


@app.command(name="list")
def list_() -> None:
    """List everybody who has access."""
    from affect_pipeline.serving.people import list_people

    table = Table("login", "name", "role", "clinics", "sees", "assigned", box=None)
    for row in list_people(_database()):
        clinics = ", ".join(row["clinics"])
        table.add_row(row["login"], row["display_name"], row["role"], clinics, row["sees"], str(row["n_assigned"]))
    console.print(table)
