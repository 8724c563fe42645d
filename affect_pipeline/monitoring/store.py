"""The warehouse side of monitoring: journals and states in, rows out. All SQL stands in ``sql/monitor``."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from itertools import pairwise
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv as pacsv
import sqlalchemy as sa

from affect_pipeline.monitoring.arrays import Bytes, Texts
from affect_pipeline.monitoring.binary import HEADER, TRAILER, state_rows
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


def copy_out(connection: sa.Connection, name: str, values: dict[str, Any], form: str) -> bytes:
    """Return the result of a query as COPY writes it, several times faster than row by row."""
    statement = sa.text(sql(name).rstrip().rstrip(";")).compile(dialect=connection.dialect)
    cursor = connection.connection.driver_connection
    assert cursor is not None
    blocks = []
    with cursor.cursor() as reader, reader.copy(f"COPY ({statement}) TO STDOUT (FORMAT {form})", values) as copy:
        blocks = [bytes(block) for block in copy]
    return b"".join(blocks)


def read_table(connection: sa.Connection, name: str, values: dict[str, Any], schema: pa.Schema) -> pa.Table:
    """Return the result of a query as a table."""
    content = copy_out(connection, name, values, "csv")
    if not content:
        return schema.empty_table()
    return pacsv.read_csv(
        pa.BufferReader(content),
        read_options=pacsv.ReadOptions(column_names=schema.names),
        convert_options=pacsv.ConvertOptions(
            column_types=schema, null_values=[""], strings_can_be_null=False, true_values=["t"], false_values=["f"]
        ),
    )


_JOURNALS = pa.schema(
    [("journal_id", pa.string()), ("patient_key", pa.string()), ("night", pa.int32()), ("day", pa.int32())]
    + [("device", pa.string()), ("accepted", pa.bool_())]
    + [(name, pa.float64()) for name in ("c0", "c1", "c2", "c3", "c4", "c5", "c6", "se0", "se1", "se2")]
)


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
        return to_journals(read_table(self.connection, "monitor/list_journals", values | self.keys.bind(), _JOURNALS))


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


def to_journals(table: pa.Table) -> Journals:
    """Return rows of ``list_journals`` as arrays."""
    columns = [_numbers(table, f"c{c}") for c in range(7)]
    errors = [_numbers(table, f"se{c}") for c in range(3)] + [np.full(table.num_rows, np.nan)] * 4
    return Journals(
        journal_id=_ascii(table, "journal_id", 64),
        patient=_ascii(table, "patient_key", 32),
        night=table["night"].to_numpy(),
        day=table["day"].to_numpy(),
        device=np.array(table["device"].to_pylist(), dtype=str) if table.num_rows else np.zeros(0, "U1"),
        accepted=table["accepted"].to_numpy(),
        values=np.column_stack(columns),
        se=np.column_stack(errors),
    )


def _numbers(table: pa.Table, name: str) -> Any:
    return table[name].to_numpy(zero_copy_only=False).astype(float)


def _ascii(table: pa.Table, name: str, width: int) -> Texts:
    """Return a column of texts of one width as fixed-width bytes, without a Python object a row."""
    if table.num_rows == 0:
        return np.zeros(0, f"S{width}")
    joined = pa.concat_arrays(table[name].chunks)
    offsets = np.frombuffer(joined.buffers()[1], np.int32)[joined.offset : joined.offset + len(joined) + 1]
    if not (np.diff(offsets) == width).all():
        raise ValueError(f"{name} is to have {width} characters in every row")
    return np.frombuffer(joined.buffers()[2], np.uint8)[offsets[0] : offsets[-1]].view(f"S{width}")


def read_states(connection: sa.Connection, model_digest: str, keys: KeyRange) -> tuple[Texts, Bytes]:
    """Return patient keys and packed states; all were packed alike, or progress would begin anew."""
    statement = sa.text(sql("monitor/list_states")).compile(dialect=connection.dialect)
    cursor = connection.connection.driver_connection
    assert cursor is not None
    with cursor.cursor(binary=True) as reader:
        names, states = reader.execute(str(statement), {"model_digest": model_digest} | keys.bind()).fetchone()
    patients = np.frombuffer(names.encode(), "S32")
    return patients, np.frombuffer(states, np.uint8).reshape(len(patients), -1 if len(patients) else 0)


def write_states(connection: sa.Connection, model_digest: str, keys: KeyRange, world: World) -> None:
    """Replace the states of a range of patients.

    Deleting and copying writes each state once; an upsert from a staging table would write it twice.
    """
    values = {"model_digest": model_digest} | keys.bind()
    connection.execute(sa.text(sql("monitor/delete_states_of_range")), values)
    cursor = connection.connection.driver_connection
    assert cursor is not None
    with cursor.cursor() as writer, writer.copy(sql("monitor/copy_states")) as copy:
        for start in range(0, len(world), ROWS_A_BLOCK):
            rows = np.arange(start, min(start + ROWS_A_BLOCK, len(world)))
            block = state_rows(
                world.keys[rows], model_digest, world.state["through_day"][rows], VERSION, world.packed(rows)
            )
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
