"""Bringing a FHIR server up to date, and taking a patient away from it.

What a server took is remembered by its digest: what has not changed is not sent again, what changed is, and what does
not stand any more is sent as entered in error. Nothing depends on the memory being complete: sending again changes
nothing.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from affect_pipeline.errors import AffectError
from affect_pipeline.interop import units
from affect_pipeline.interop.bundles import deletion, transactions
from affect_pipeline.interop.client import FhirClient, FhirRefused, Patience, client_of
from affect_pipeline.interop.units import Kind, Unit
from affect_pipeline.nights import Nights
from affect_pipeline.privacy.audit import record
from affect_pipeline.settings import Settings

if TYPE_CHECKING:
    from affect_pipeline.interop.codes import JsonObject

log = logging.getLogger(__name__)

Clock = Callable[[], datetime]
Reader = Callable[[sa.Connection, Nights, str | None], Iterator[Unit]]

READERS: dict[Kind, Reader] = {
    "journal": units.journals,
    "alert": units.alerts,
    "questionnaire": units.questionnaires,
}
EVER = date(1900, 1, 1)
NIGHTLY_PATIENCE = Patience(n_tries=3, longest_wait_s=10.0, timeout_s=30.0)
NAMES_PER_DELETION = 200
MOST_REFUSALS = 3
"""Refused bundles after which a push gives up: a token that has ended is refused every time."""


class FhirBusy(AffectError):
    """Another process is sending to the same server."""


@dataclass(frozen=True)
class Sent:
    """One unit that a server holds.

    Parameters
    ----------
    server : str
        Its address.
    sent_as : str
        Pseudonym of the patient there.
    kind, name : str
        What it is.
    """

    server: str
    sent_as: str
    kind: str
    name: str


@dataclass(frozen=True)
class Pushed:
    """What a server was sent.

    Parameters
    ----------
    nights : Nights
        Nights that were looked at.
    n_sent, n_same, n_taken_back : int
        Journals, alerts and questionnaires sent, left out because the server has them, and sent as entered in error.
    """

    nights: Nights
    n_sent: int
    n_same: int
    n_taken_back: int

    def words(self) -> str:
        """Return it as a sentence."""
        return (
            f"{self.nights}: {self.n_sent} sent, {self.n_same} unchanged on the server, {self.n_taken_back} taken back"
        )


def push(
    settings: Settings,
    client: FhirClient,
    nights: Nights,
    patient_key: str | None = None,
    actor: str | None = None,
    clock: Clock = lambda: datetime.now(UTC),
) -> Pushed:
    """Bring a server up to date with some nights, and with every alert as it stands now.

    Parameters
    ----------
    settings : Settings
        The installation.
    client : FhirClient
        The server.
    nights : Nights
        Nights of arrival.
    patient_key : str, optional
        Only this patient.
    actor : str, optional
        Who asked for it; by default the system user.
    clock : callable
        Returns the time, with time zone.

    Raises
    ------
    FhirServerUnavailable, FhirRefused
        If the server does not take it; what it took is remembered.
    FhirBusy
        If another process is at it.
    """
    from affect_pipeline.warehouse.engine import connect

    engine = connect(settings)
    sender = _Sender(engine, client, clock)
    with _alone(engine, client.url):
        try:
            sender.renew()
            for kind in READERS:
                of_kind = nights if kind != "alert" else Nights(EVER, nights.last)
                sender.send(kind, of_kind, patient_key)
        finally:
            if sender.n_sent or sender.n_taken_back:
                with engine.begin() as connection:
                    counts = {"n_sent": sender.n_sent, "n_taken_back": sender.n_taken_back, "nights": nights.name}
                    record(connection, "fhir_pushed", patient_key, actor, server=client.url, **counts)
    if sender.refusals:
        raise FhirRefused(f"{len(sender.refusals)} bundles were not taken; the first: {sender.refusals[0]}")
    return Pushed(nights, sender.n_sent, sender.n_same, sender.n_taken_back)


def push_nightly(settings: Settings, nights: Nights, client: FhirClient | None = None) -> str:
    """Bring the server of the settings up to date after a run; a server that fails never fails the run.

    Nights that it missed before are caught up with.

    Returns
    -------
    str
        What happened, for the log of the run; empty if no server is set.
    """
    if not settings.fhir_url:
        return ""
    from affect_pipeline.warehouse.engine import connect

    engine = connect(settings)
    patience = replace(NIGHTLY_PATIENCE, total_s=60.0 * settings.fhir_minutes)
    try:
        with client or client_of(settings, patience) as server:
            before = {"server": server.url, "through_night": nights.first - timedelta(days=1)}
            _execute(engine, "start_progress", **before)
            with _alone(engine, server.url):
                _Sender(engine, server, lambda: datetime.now(UTC)).renew()
            words = push(settings, server, _with_missed(_progress(engine, server.url), nights)).words()
            _execute(engine, "set_progress", server=server.url, through_night=nights.last)
    except AffectError as error:
        words = f"the FHIR server is behind; the next night catches up. {error}"
        log.warning("%s", words)
    return words


def sent_of(connection: sa.Connection, patient_key: str) -> list[Sent]:
    """Return what servers were sent about a patient."""
    rows = connection.execute(_query("list_sent_of_patient"), {"patient_key": patient_key})
    return [Sent(row.server, row.sent_as, row.kind, row.name) for row in rows]


def withdraw(settings: Settings, sent: Iterable[Sent], client: FhirClient | None = None) -> list[Sent]:
    """Have the server of the settings delete what it was sent about a patient.

    Parameters
    ----------
    settings : Settings
        The installation; only its server can be asked.
    sent : iterable of Sent
        From `sent_of`.
    client : FhirClient, optional
        The server; by default that of the settings.

    Returns
    -------
    list of Sent
        What servers still hold: they could not be asked, or would not.
    """
    waiting = list(sent)
    if not waiting or (client is None and not settings.fhir_url):
        return waiting
    try:
        with client or client_of(settings, NIGHTLY_PATIENCE) as server:
            _delete(server, [one for one in waiting if one.server == server.url])
            return [one for one in waiting if one.server != server.url]
    except AffectError as error:
        log.warning("%s", error)
        return waiting


def _delete(client: FhirClient, sent: Iterable[Sent]) -> None:
    """Delete what was sent, and at last the patient under each pseudonym."""
    by_name: dict[str, list[tuple[str, str]]] = {}
    for one in sent:
        by_name.setdefault(one.sent_as, []).append((one.kind, one.name))
    for sent_as, names in by_name.items():
        for start in range(0, len(names), NAMES_PER_DELETION):
            some = names[start : start + NAMES_PER_DELETION]
            is_last = start + NAMES_PER_DELETION >= len(names)
            client.transact(deletion(some, sent_as if is_last else None))


class _Sender:
    """Sends units, and remembers what was taken after every bundle: a process killed in between repeats one at most."""

    def __init__(self, engine: sa.Engine, client: FhirClient, clock: Clock) -> None:
        self.engine, self.client, self.clock = engine, client, clock
        self.n_sent = self.n_same = self.n_taken_back = 0
        self.refusals: list[str] = []

    def send(self, kind: Kind, nights: Nights, patient_key: str | None) -> None:
        """Send what is new or changed, and take back what is not there any more."""
        with self.engine.connect() as reading:
            devices = units.devices(reading)
            values = {"server": self.client.url, "kind": kind, "patient_key": patient_key} | _range(nights)
            known = {row.name: row for row in reading.execute(_query("list_deliveries"), values)}
            with closing(self._changed(reading, kind, nights, patient_key, known)) as changed:
                for bundle_units, bundle in transactions(changed, devices):
                    self.n_sent += self._deliver(bundle_units, bundle)
        gone = [units.in_error(kind, row.name, row.patient_key, row.night) for row in known.values()]
        untold = [unit for unit in gone if unit.digest != known[unit.name].digest]
        for bundle_units, bundle in transactions(untold, {}):
            self.n_taken_back += self._deliver(bundle_units, bundle)

    def _changed(
        self, connection: sa.Connection, kind: Kind, nights: Nights, patient_key: str | None, known: dict[str, Any]
    ) -> Generator[Unit, None, None]:
        """Yield what the server has not; what is left in ``known`` afterwards is not there any more."""
        for unit in READERS[kind](connection, nights, patient_key):
            sent = known.pop(unit.name, None)
            if sent is not None and sent.digest == unit.digest:
                self.n_same += 1
            else:
                yield unit

    def _deliver(self, taken: list[Unit], bundle: JsonObject) -> int:
        """Send a bundle; returns how many units the server took. One bundle it refuses does not hold up the others."""
        try:
            self.client.transact(bundle)
        except FhirRefused as refusal:
            self.refusals.append(str(refusal))
            if len(self.refusals) == MOST_REFUSALS:
                raise
            return 0
        now = self.clock()
        rows = [
            {
                "server": self.client.url, "kind": unit.kind, "name": unit.name, "patient_key": unit.patient_key,
                "night": unit.night, "digest": unit.digest, "sent_at": now,
            }
            for unit in taken
        ]  # fmt: skip
        with self.engine.begin() as connection:
            connection.execute(_query("record_deliveries"), rows)
        return len(rows)

    def renew(self) -> None:
        """Take away who was sent under a pseudonym that a rotation has ended; the nights are owed again."""
        for patient_key in _scalars(self.engine, "list_renamed_patients", server=self.client.url):
            with self.engine.connect() as connection:
                sent = [one for one in sent_of(connection, patient_key) if one.server == self.client.url]
            _delete(self.client, sent)
            values = {"server": self.client.url}
            with self.engine.begin() as connection:
                forgotten = connection.execute(_query("forget_deliveries"), values | {"patient_key": patient_key})
                before = min(forgotten.scalars()) - timedelta(days=1)
                connection.execute(_query("step_back"), values | {"before": before})


@contextmanager
def _alone(engine: sa.Engine, server: str) -> Iterator[None]:
    """Hold off any other sender to this server; the lock ends with its connection at the latest."""
    with engine.connect() as connection:
        if not connection.execute(_query("lock_push"), {"server": server}).scalar_one():
            raise FhirBusy(f"another process is sending to {server}; it takes what is new along")
        try:
            yield
        finally:
            connection.execute(_query("unlock_push"), {"server": server})


def _with_missed(through: date | None, nights: Nights) -> Nights:
    """Return the nights with those before them that the server has not seen."""
    if through is None or through >= nights.first - timedelta(days=1):
        return nights
    return Nights(through + timedelta(days=1), nights.last)


def _progress(engine: sa.Engine, server: str) -> date | None:
    found = _scalars(engine, "get_progress", server=server)
    return found[0] if found else None


def _execute(engine: sa.Engine, name: str, **values: object) -> None:
    with engine.begin() as connection:
        connection.execute(_query(name), values)


def _scalars(engine: sa.Engine, name: str, **values: object) -> list[Any]:
    with engine.connect() as connection:
        return list(connection.execute(_query(name), values).scalars())


def _range(nights: Nights) -> dict[str, date]:
    return {"first_night": nights.first, "last_night": nights.last}


def _query(name: str) -> sa.TextClause:
    from affect_pipeline.warehouse.queries import sql

    return sa.text(sql(f"interop/{name}"))
