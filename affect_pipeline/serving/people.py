"""Who is there: people, their roles, and the access tokens they log in with."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from affect_pipeline.errors import SettingsError
from affect_pipeline.serving.sessions import token_digest

if TYPE_CHECKING:
    from affect_pipeline.serving.database import Database

TOKEN_BYTES = 32
ROLES = ("counselor", "analyst", "admin")
SEES = ("clinic", "assigned")
SCOPES = ("everything", "upload")


class Permission(StrEnum):
    """What a route may ask for."""

    READ = "read"
    ACT = "act"
    ANALYZE = "analyze"
    UPLOAD = "upload"


GRANTS: dict[str, frozenset[Permission]] = {
    "counselor": frozenset({Permission.READ, Permission.ACT, Permission.ANALYZE}),
    "analyst": frozenset({Permission.READ, Permission.ANALYZE}),
    "admin": frozenset(Permission),
}
UPLOAD_SCOPE = frozenset({Permission.ANALYZE, Permission.UPLOAD})


@dataclass(frozen=True)
class Person:
    """Somebody who is logged in.

    Parameters
    ----------
    login : str
        The name in the warehouse, which decides whose rows the person sees.
    name : str
        The name shown to colleagues.
    role : str
        One of `ROLES`.
    clinics : tuple of str
        The clinics the person works for.
    sees : str
        ``clinic`` or ``assigned``.
    scope : str
        ``everything``, or ``upload`` for the token of a program that only delivers recordings.
    """

    login: str
    name: str
    role: str
    clinics: tuple[str, ...] = ()
    sees: str = "clinic"
    scope: str = "everything"

    def may(self, permission: Permission) -> bool:
        """Tell whether the person may do this at all; which patients it covers the warehouse decides."""
        if self.scope == "upload":
            return permission in UPLOAD_SCOPE
        return permission in GRANTS.get(self.role, frozenset())

    @property
    def may_act(self) -> bool:
        """Whether the person may acknowledge, resolve and comment on alerts."""
        return self.may(Permission.ACT)


def find_by_token(database: Database, digest: str) -> Person | None:
    """Return the person an access token speaks for, by the token's digest."""
    with database.as_service() as queries:
        row = queries.row("find_person_by_token", token_digest=digest)
    return None if row is None else _person(row)


def find_by_login(database: Database, login: str) -> Person | None:
    """Return a person by name, for installations where somebody else checked who it is."""
    with database.as_service() as queries:
        row = queries.row("find_person_by_login", login=login)
    return None if row is None else _person(row)


def add_person(database: Database, person: Person) -> None:
    """Add a person, or change what an existing one may see.

    Raises
    ------
    SettingsError
        If the role or the reach is unknown.
    """
    if person.role not in ROLES or person.sees not in SEES:
        raise SettingsError(
            f"{person.role!r} and {person.sees!r} are not a role out of {', '.join(ROLES)} "
            f"and a reach out of {', '.join(SEES)}"
        )
    with database.as_service() as queries:
        queries.run(
            "add_person",
            login=person.login,
            display_name=person.name,
            role=person.role,
            clinics=list(person.clinics),
            sees=person.sees,
        )


def new_token(database: Database, login: str, scope: str = "everything", expires_at: datetime | None = None) -> str:
    """Make an access token for a person; only its digest is kept.

    Parameters
    ----------
    database : Database
        The warehouse.
    login : str
        The person.
    scope : str
        ``everything`` or ``upload``.
    expires_at : datetime, optional
        When it stops working.

    Returns
    -------
    str
        The token, to be shown once.

    Raises
    ------
    SettingsError
        If there is no such person or scope.
    """
    if scope not in SCOPES:
        raise SettingsError(f"{scope!r} is not one of the scopes {', '.join(SCOPES)}")
    if find_by_login(database, login) is None:
        raise SettingsError(f"{login!r} is not a person with access; `affect people add {login}` makes one")
    token = f"affect_{secrets.token_urlsafe(TOKEN_BYTES)}"
    with database.as_service() as queries:
        queries.run(
            "add_access_token", token_digest=token_digest(token), login=login, scope=scope, expires_at=expires_at
        )
    return token


def end_access(database: Database, login: str) -> None:
    """End all access of a person: sessions and tokens stop working with the next request.

    Raises
    ------
    SettingsError
        If there is no such person.
    """
    with database.as_service() as queries:
        if not queries.run("end_access", login=login):
            raise SettingsError(f"{login!r} is not a person with access; `affect people list` shows who is")


def assign_patient(database: Database, login: str, patient_key: str, assigned_by: str = "command line") -> None:
    """Let a person look after a patient.

    Raises
    ------
    SettingsError
        If there is no such person or patient.
    """
    with database.as_service() as queries:
        known = queries.row("find_assignable", login=login, patient_key=patient_key)
        if known is None:
            raise SettingsError(f"{login!r} is not a person with access, or {patient_key!r} is not a patient")
        queries.run("assign_patient", login=login, patient_key=patient_key, assigned_by=assigned_by)


def list_people(database: Database) -> list[dict[str, Any]]:
    """Return everybody who has access, with how many patients each was assigned."""
    with database.as_service() as queries:
        return queries.rows("list_people")


def count_people(database: Database) -> int:
    """Return how many people have access."""
    with database.as_service() as queries:
        row = queries.row("count_people")
    return int(row["n_people"]) if row else 0


def _person(row: dict[str, object]) -> Person:
    clinics = row["clinics"]
    return Person(
        login=str(row["login"]),
        name=str(row["display_name"]),
        role=str(row["role"]),
        clinics=tuple(clinics) if isinstance(clinics, list) else (),
        sees=str(row["sees"]),
        scope=str(row["scope"]),
    )
