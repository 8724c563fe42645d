"""The warehouse side of monitoring: journals and states in, rows out. All SQL stands in ``sql/monitor``."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from itertools import pairwise
from typing import Any

import numpy as np
import sqlalchemy as sa

from affect_pipeline.monitoring.arrays import Bytes, Texts
from affect_pipeline.monitoring.binary import HEADER, TRAILER, state_columns, state_rows
from affect_pipeline.monitoring.journals import Journals
from affect_pipeline.monitoring.profile import Profile
from affect_pipeline.monitoring.words import to_date, to_day
from affect_pipeline.monitoring.world import VERSION, World
from affect_pipeline.warehouse.queries import sql

LAST_KEY = "g"
"""Greater than every patient key, which are hexadecimal."""

LONG_AGO = date(1900, 1, 1)


@dataclass(frozen=True)
class KeyRange:
    """Patients whose keys lie between two texts, both included."""

    first: str = ""
    last: str = LAST_KEY

    def bind(self) -> dict[str, str]:
        """Return the bound parameters."""
        return {"first_key": self.first, "last_key": self.last}


def key_ranges(n_patients: int, patients_per_range: int) -> list[KeyRange]:
    """Cut all keys into ranges of about so many patients; keys are hashes, so they spread evenly."""
    n = min(max(-(-n_patients // patients_per_range), 1), 256)
    edges = [round(256 * k / n) for k in range(n + 1)]
    return [
        KeyRange("" if a == 0 else f"{a:02x}", LAST_KEY if b == 256 else f"{b - 1:02x}" + "g")
        for a, b in pairwise(edges)
    ]


def _fetch(connection: sa.Connection, name: str, values: dict[str, Any]) -> list[tuple[Any, ...]]:
    """Return the rows of a query in binary, so that long columns of bytes come as they are."""
    statement = sa.text(sql(name).rstrip().rstrip(";")).compile(dialect=connection.dialect)
    driver = connection.connection.driver_connection
    assert driver is not None
    with driver.cursor(binary=True) as reader:
        found: list[tuple[Any, ...]] = reader.execute(str(statement), values).fetchall()
    return found


DEVICE_SEPARATOR = "\x1f"
"""Stands between devices in a result row; a name of a device that held it would not be one."""


@dataclass
class WarehouseSource:
    """Journals of one model version in the warehouse; see `Source`."""

    connection: sa.Connection
    model_digest: str
    keys: KeyRange = KeyRange()

    def due(self, night: int) -> Journals:
        """Return what is new on a night."""
        return self._read(first_due=to_date(night), last_due=to_date(night))

    def history(self, patients: Texts, night: int) -> Journals:
        """Return all that had arrived from some patients by a night, up to its date."""
        return self._read(last_due=to_date(night), patients=[key.decode() for key in patients])

    def cohort(self, first_day: int, night: int, min_days: int, n_patients: int) -> Journals:
        """Return the journals from `first_day` on of the first patients with values on enough days."""
        values = {
            "model_digest": self.model_digest, "first_day": to_date(first_day), "night": to_date(night),
            "min_days": min_days, "n_patients": n_patients,
        }  # fmt: skip
        chosen = self.connection.execute(sa.text(sql("monitor/list_cohort_patients")), values).scalars().all()
        everyone = WarehouseSource(self.connection, self.model_digest)
        found = everyone._read(last_due=to_date(night), patients=list(chosen), first_day=to_date(first_day))
        return found.rows(found.accepted)

    def everything(self, last_night: int) -> Journals:
        """Return all journals of the range that had arrived by a night."""
        return self._read(last_due=to_date(last_night))

    def _read(
        self,
        last_due: date,
        first_due: date = LONG_AGO,
        patients: list[str] | None = None,
        first_day: date = LONG_AGO,
    ) -> Journals:
        values = {
            "model_digest": self.model_digest, "first_due": first_due, "last_due": last_due, "patients": patients,
            "first_day": first_day,
        }  # fmt: skip
        blocks = _fetch(self.connection, "monitor/list_journals", values | self.keys.bind())
        return Journals.concatenate([_to_journals(block) for block in blocks]) if blocks else Journals.empty(7)


class DueOnce:
    """What is due on some nights, read once for everybody and handed out range by range."""

    def __init__(self, connection: sa.Connection, model_digest: str, nights: range) -> None:
        everyone = WarehouseSource(connection, model_digest)
        self.by_night = {night: everyone.due(night) for night in nights}

    def of(self, source: WarehouseSource) -> RangeSource:
        """Return the journals of the patients of one range."""
        return RangeSource(source, {night: _within(journals, source.keys) for night, journals in self.by_night.items()})


@dataclass
class RangeSource:
    """A range of patients: what is due from memory, history and cohort from the warehouse; see `Source`."""

    warehouse: WarehouseSource
    by_night: dict[int, Journals]

    def due(self, night: int) -> Journals:
        """Return what is new on a night."""
        return self.by_night[night]

    def history(self, patients: Texts, night: int) -> Journals:
        """Return all that had arrived from some patients by a night, up to its date."""
        return self.warehouse.history(patients, night)

    def cohort(self, first_day: int, night: int, min_days: int, n_patients: int) -> Journals:
        """Return the journals from `first_day` on of the first patients with values on enough days."""
        return self.warehouse.cohort(first_day, night, min_days, n_patients)


def _within(journals: Journals, keys: KeyRange) -> Journals:
    """Return the journals of a range of keys; they come in the order of patients."""
    low = np.searchsorted(journals.patient, keys.first.encode(), side="left")
    high = np.searchsorted(journals.patient, keys.last.encode(), side="right")
    return journals.rows(slice(int(low), int(high)))


def _to_journals(block: tuple[Any, ...]) -> Journals:
    """Return one result row of ``list_journals`` as arrays."""
    n, journal_id, patient, night, day, device, accepted, *numbers = block
    columns = [np.frombuffer(column, ">f8").astype(float) for column in numbers]
    return Journals(
        journal_id=_ascii(journal_id, n, 64),
        patient=_ascii(patient, n, 32),
        night=np.frombuffer(night, ">i4").astype(np.int32),
        day=np.frombuffer(day, ">i4").astype(np.int32),
        device=np.array(device.split(DEVICE_SEPARATOR), dtype=str),
        accepted=np.frombuffer(accepted, ">i4") != 0,
        values=np.column_stack(columns[:7]),
        se=np.column_stack([*columns[7:], *[np.full(n, np.nan)] * 4]),
    )


def _ascii(joined: str, n: int, width: int) -> Texts:
    """Return texts of one width, which stand one after the other, as fixed-width bytes."""
    if len(joined) != n * width:
        raise ValueError(f"keys are to have {width} characters in every row")
    return np.frombuffer(joined.encode(), f"S{width}")


SIDES = (0, 1)
"""Partitions of the states: a run reads one and writes the other."""


def _of_side(name: str, side: int) -> str:
    """Return a statement of ``sql/monitor`` about the states of a side: by name, so that the other is not locked."""
    return sql(f"monitor/{name}").replace("chart_state_0", f"chart_state_{side}")


def shared_sides(connection: sa.Connection, model_digest: str) -> set[int]:
    """Return the sides that hold states of other model versions, too."""
    found = connection.execute(sa.text(sql("monitor/list_shared_sides")), {"model_digest": model_digest})
    return set(found.scalars())


def clear_states(connection: sa.Connection, model_digest: str, side: int, shared: bool) -> None:
    """Forget the states of a model version on one side; emptying it as a whole waits for whoever reads it."""
    if shared:
        values = {"model_digest": model_digest, "side": side}
        connection.execute(sa.text(sql("monitor/delete_chart_state")), values)
    else:
        connection.execute(sa.text(_of_side("truncate_chart_state", side)))


def read_states(connection: sa.Connection, model_digest: str, side: int, keys: KeyRange) -> tuple[Texts, Bytes]:
    """Return patient keys, ascending, and packed states; all were packed alike, or progress would begin anew."""
    statement = sa.text(_of_side("copy_states_out", side)).compile(dialect=connection.dialect)
    driver = connection.connection.driver_connection
    assert driver is not None
    with driver.cursor() as reader, reader.copy(str(statement), {"model_digest": model_digest} | keys.bind()) as copy:
        patients, states = state_columns(b"".join(copy))
    order = np.argsort(patients)
    return patients[order], states[order]


def write_states(connection: sa.Connection, model_digest: str, side: int, world: World) -> None:
    """Write the states of patients who have none on this side."""
    cursor = connection.connection.driver_connection
    assert cursor is not None
    with cursor.cursor() as writer, writer.copy(_of_side("copy_states", side)) as copy:
        for start in range(0, len(world), ROWS_A_BLOCK):
            rows = np.arange(start, min(start + ROWS_A_BLOCK, len(world)))
            through = world.state["through_day"][rows]
            block = state_rows(side, world.keys[rows], model_digest, through, VERSION, world.packed(rows))
            # header and trailer frame the whole stream, not each block
            copy.write(block[0 if start == 0 else len(HEADER) : -len(TRAILER)])
        copy.write((HEADER if len(world) == 0 else b"") + TRAILER)


ROWS_A_BLOCK = 8192


def read_profiles(connection: sa.Connection, model_digest: str) -> dict[int, Profile]:
    """Return the cohort profiles of a model version by night."""
    rows = connection.execute(sa.text(sql("monitor/list_profiles")), {"model_digest": model_digest})
    return {to_day(night): Profile.from_json(text) for night, text in rows}


def write_profiles(connection: sa.Connection, model_digest: str, profiles: dict[int, Profile]) -> None:
    """Write cohort profiles."""
    for night, profile in sorted(profiles.items()):
        values = {
            "model_digest": model_digest, "as_of_night": to_date(night), "n_patients": profile.n_patients,
            "profile": profile.to_json(),
        }  # fmt: skip
        connection.execute(sa.text(sql("monitor/add_profile")), values)


def read_open_alerts(connection: sa.Connection, model_digest: str, keys: KeyRange) -> dict[str, dict[str, Any]]:
    """Return the open alerts of some patients by id."""
    values = {"model_digest": model_digest} | keys.bind()
    rows = connection.execute(sa.text(sql("monitor/list_open_alerts")), values).mappings()
    return {row["alert_id"]: dict(row) for row in rows}


def read_withdrawn(connection: sa.Connection) -> dict[bytes, int]:
    """Return the night on which each patient's consent was known to be gone."""
    rows = connection.execute(sa.text(sql("monitor/list_withdrawn")))
    return {key.encode(): int(night) for key, night in rows}
