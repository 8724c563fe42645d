"""The audit trail: who saw which patient and did what, in a chain that shows when it was changed.

Events are added by functions of the warehouse (``sql/functions/record_audit.sql``), many of them by triggers, so that
nothing that acts can forget to say so. Each holds a SHA-256 over the one before and all that it says: whoever changes,
removes or slips in an event breaks the chain at that place. A chain says nothing about events cut off at its end, or
about one that was made anew as a whole; its head, noted somewhere else, does: `verify` takes it.
"""

from __future__ import annotations

import getpass
import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

FIRST_PREVIOUS = "0" * 64
PAGE = 10_000


@dataclass(frozen=True)
class Verification:
    """What looking at the whole chain found.

    Parameters
    ----------
    n_events : int
        Events in the chain.
    head : str
        Hash of the last one; 64 zeros for none.
    problems : tuple of str
        What is wrong; empty if the chain holds.
    """

    n_events: int
    head: str
    problems: tuple[str, ...]

    @property
    def holds(self) -> bool:
        """Whether nothing was found."""
        return not self.problems


def record(
    connection: sa.Connection, action: str, patient_key: str | None = None, actor: str | None = None, **detail: object
) -> int:
    """Add an event, inside the transaction of what it tells of.

    Parameters
    ----------
    connection : sqlalchemy.Connection
        The warehouse as its owner or the pipeline. Others wait until the transaction ends.
    action : str
        What was done, in snake case.
    patient_key : str, optional
        The patient it was done to.
    actor : str, optional
        Who did it; by default the system user of this process.
    **detail : object
        Further facts as JSON can hold them; nothing that identifies a patient.

    Returns
    -------
    int
        Number of the event.
    """
    values = {"actor": actor or system_user(), "action": action, "patient_key": patient_key}
    number = connection.execute(_query("record_event"), values | {"detail": json.dumps(detail)}).scalar_one()
    return int(number)


def verify(engine: sa.Engine, head: str | None = None) -> Verification:
    """Work out every hash again.

    Parameters
    ----------
    engine : sqlalchemy.Engine
        The warehouse.
    head : str, optional
        A hash that was noted earlier and must still be in the chain.
    """
    problems: list[str] = []
    previous, n_events, found_head = FIRST_PREVIOUS, 0, head in (None, FIRST_PREVIOUS)
    for seq, claimed_previous, claimed, content in _chain(engine):
        n_events += 1
        if seq != n_events:
            problems.append(f"event {n_events} is missing; the next one is {seq}")
            n_events = seq
        if claimed_previous != previous:
            problems.append(f"event {seq} does not follow the one before it")
        if claimed != event_hash(claimed_previous, content):
            problems.append(f"event {seq} was changed")
        previous = claimed
        found_head = found_head or claimed == head
    if not found_head:
        problems.append(f"no event has the hash {head}: the end of the chain was cut off, or all of it made anew")
    return Verification(n_events, previous, tuple(problems))


def event_hash(previous: str, content: str) -> str:
    """Return the hash of an event from that of the one before and the text of its content."""
    return hashlib.sha256(f"{previous}\n{content}".encode()).hexdigest()


def list_events(
    engine: sa.Engine,
    patient_key: str | None = None,
    actor: str | None = None,
    action: str | None = None,
    limit: int = 100,
) -> list[dict[str, Any]]:
    """Return the newest events, newest first; narrowed to a patient, a person or an action."""
    values = {"patient_key": patient_key, "actor": actor, "action": action, "limit_rows": limit}
    with engine.connect() as connection:
        return [dict(row) for row in connection.execute(_query("list_events"), values).mappings()]


def system_user() -> str:
    """Return who runs this process."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container may run under a number without a name
        return "unknown"


def _chain(engine: sa.Engine) -> Iterator[tuple[int, str, str, str]]:
    after = 0
    with engine.connect() as connection:
        while True:
            rows = connection.execute(_query("list_chain"), {"after": after, "page_size": PAGE}).all()
            yield from ((row.seq, row.previous, row.hash, row.content) for row in rows)
            if len(rows) < PAGE:
                return
            after = rows[-1].seq


def _query(name: str) -> sa.TextClause:
    from affect_pipeline.warehouse.queries import sql

    return sa.text(sql(f"audit/{name}"))
