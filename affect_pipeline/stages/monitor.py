"""Fifth stage: day values, personal baselines, control charts and drift alerts.

A night that follows the last one goes on from the stored states. A night that was run before, or comes
before one that was, makes everything of the model version anew from the journals: alerts are a function
of the journals and their nights of arrival, whatever the order in which nights are run.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from datetime import date
from typing import TYPE_CHECKING

from affect_pipeline.files import read_metadata
from affect_pipeline.nights import Nights
from affect_pipeline.settings import Settings
from affect_pipeline.telemetry import measured

if TYPE_CHECKING:
    import sqlalchemy as sa

    from affect_pipeline.monitoring.engine import Engine
    from affect_pipeline.monitoring.output import Output
    from affect_pipeline.monitoring.profile import Profile
    from affect_pipeline.monitoring.rules import Rules
    from affect_pipeline.monitoring.store import DueOnce, KeyRange, RangeSource

PATIENTS_PER_RANGE = 50_000
"""Patients judged at once: about 100 MB of state. Meanwhile the range before is written and the one after is read."""

NIGHTS_FROM_STATE = 3
"""Up to so many new nights read only what is due; for more, the history is read once."""


@dataclass(frozen=True)
class MonitorResult:
    """What a night's monitoring did.

    Parameters
    ----------
    model_digest : str
        Model version whose scores were judged; empty if nothing was ever scored.
    n_patients : int
        Patients known.
    n_alerts_opened, n_alerts_updated, n_alerts_resolved : int
        Events of the nights of the run.
    anew : bool
        Whether everything was derived anew because nights came out of order.
    """

    model_digest: str
    n_patients: int
    n_alerts_opened: int
    n_alerts_updated: int
    n_alerts_resolved: int
    anew: bool

    def as_dict(self) -> dict[str, object]:
        """Return the fields as JSON can hold them."""
        return asdict(self)


@measured("monitor")
def monitor(settings: Settings, nights: Nights) -> MonitorResult:
    """Bring baselines, charts and alerts up to the last night of a run, in one transaction.

    Parameters
    ----------
    settings : Settings
        Where files and the warehouse are, lengths and the false-alarm rate.
    nights : Nights
        Range of the run.

    Raises
    ------
    WarehouseUnavailable
        If the warehouse cannot be reached.
    """
    from affect_pipeline.warehouse.engine import connect

    engine = connect(settings)
    with engine.begin() as connection, engine.connect() as ahead, engine.connect() as aside:
        digest = _scored_by(settings, nights) or _scored_last(connection, nights)
        if digest is None:
            return MonitorResult("", 0, 0, 0, 0, anew=False)
        return _Run(settings, _Connections(connection, ahead, aside), digest, nights).run()


def _scored_by(settings: Settings, nights: Nights) -> str | None:
    """Return the model that the run's score files name."""
    for path in sorted((settings.work_dir / nights.name / "scores").glob("shard-*.parquet")):
        if digest := read_metadata(path).get("model_digest"):
            return digest
    return None


def _scored_last(connection: sa.Connection, nights: Nights) -> str | None:
    import sqlalchemy as sa

    from affect_pipeline.warehouse.queries import sql

    digest: str | None = connection.execute(sa.text(sql("monitor/find_model")), {"night": nights.last}).scalar()
    return digest


@dataclass
class _Plan:
    """Which nights are to be judged, and from what."""

    first: date
    last: date
    first_ever: date
    anew: bool
    side: int
    """Side of the states to read; the other one is written."""


def rules_digest(rules: Rules) -> str:
    """Return a digest of what states depend on but do not hold: other rules, or another packing, begin anew."""
    from affect_pipeline.monitoring.world import VERSION

    return hashlib.sha256(f"{rules!r} packing {VERSION}".encode()).hexdigest()


@dataclass(frozen=True)
class _Connections:
    """A connection can do one thing at a time, and three are done at once.

    Parameters
    ----------
    write : sqlalchemy.Connection
        The transaction of the run.
    ahead : sqlalchemy.Connection
        Reads the next range.
    aside : sqlalchemy.Connection
        Reads what judging a range turns out to need. Like `ahead` it does not see what this run has written, and need
        not: a range reads no rows of another.
    """

    write: sa.Connection
    ahead: sa.Connection
    aside: sa.Connection

    def finish_reading(self) -> None:
        """End the transactions that only read, and with them their locks."""
        self.ahead.rollback()
        self.aside.rollback()


class _Run:
    """One call of `monitor`, inside its transaction."""

    def __init__(self, settings: Settings, connections: _Connections, digest: str, nights: Nights) -> None:
        from affect_pipeline.monitoring.rules import Rules

        self.settings, self.connections, self.digest, self.nights = settings, connections, digest, nights
        self.connection = connections.write
        self.rules: Rules = Rules.from_settings(settings)
        self.rules_digest = rules_digest(self.rules)
        self.counts = {"opened": 0, "updated": 0, "resolved": 0}

    def run(self) -> MonitorResult:
        from datetime import timedelta

        from affect_pipeline.monitoring import store
        from affect_pipeline.monitoring.words import to_day

        self._execute("lock_monitor")
        inputs = self._one("summarise_inputs")
        if inputs is None or inputs.first_night is None:
            return MonitorResult(self.digest, 0, 0, 0, 0, anew=False)
        plan = self._plan(inputs.first_night)
        shared = store.shared_sides(self.connection, self.digest)
        if plan.anew:
            self._forget(shared)
        store.clear_states(self.connection, self.digest, 1 - plan.side, 1 - plan.side in shared)
        profiles = store.read_profiles(self.connection, self.digest)
        known = set(profiles)
        nights = range(to_day(plan.first), to_day(plan.last) + 1)
        due = store.DueOnce(self.connection, self.digest, nights) if len(nights) <= NIGHTS_FROM_STATE else None
        withdrawn = store.read_withdrawn(self.connection)

        def read(keys: KeyRange) -> Engine:
            return self._engine(keys, profiles, withdrawn, plan)

        def judge(keys: KeyRange, engine: Engine) -> list[Output]:
            source = self._source(keys, due, nights[-1])
            return [engine.run_night(night, source) for night in nights]

        def write(keys: KeyRange, engine: Engine, outputs: list[Output]) -> None:
            self._write(outputs, known_through=date.min if plan.anew else plan.first - timedelta(days=1))
            store.write_states(self.connection, self.digest, 1 - plan.side, engine.world)

        _overlapped(store.key_ranges(inputs.n_patients, PATIENTS_PER_RANGE), read, judge, write)
        store.write_profiles(self.connection, self.digest, {n: profiles[n] for n in set(profiles) - known})
        self.connections.finish_reading()
        store.clear_states(self.connection, self.digest, plan.side, plan.side in shared)
        progress = {"first_night": plan.first_ever, "through_night": plan.last, "rules": self.rules_digest}
        self._execute("set_progress", side=1 - plan.side, **progress)
        opened, updated, resolved = self.counts.values()
        return MonitorResult(self.digest, inputs.n_patients, opened, updated, resolved, plan.anew)

    def _plan(self, first_input: date) -> _Plan:
        from datetime import timedelta

        progress = self._one("get_progress")
        last = self.nights.last
        if progress is not None:
            others = self._one("list_other_progress", night=progress.through_night)
            follows = self.nights.first > progress.through_night and first_input >= progress.first_night
            if follows and progress.rules == self.rules_digest and not (others and others.n_others):
                first = progress.through_night + timedelta(days=1)
                return _Plan(first, last, progress.first_night, anew=False, side=progress.side)
            last = max(last, progress.through_night)
        self._execute("resolve_superseded_alerts", night=self.nights.last)
        first = min(first_input, last)
        return _Plan(first, last, first, anew=True, side=0 if progress is None else progress.side)

    def _forget(self, shared: set[int]) -> None:
        from affect_pipeline.monitoring import store

        for side in store.SIDES:
            store.clear_states(self.connection, self.digest, side, side in shared)
        for table in ("drift_alerts", "monitored_days", "baselines", "cohort_profiles"):
            self._execute(f"delete_{table}")
        self._execute("delete_monitor_progress")

    def _engine(self, keys: KeyRange, profiles: dict[int, Profile], withdrawn: dict[bytes, int], plan: _Plan) -> Engine:
        """Return what judges a range of patients, at the state that the last night left them in."""
        from affect_pipeline.monitoring import store
        from affect_pipeline.monitoring.channels import VOICE
        from affect_pipeline.monitoring.engine import Engine
        from affect_pipeline.monitoring.world import World

        engine = Engine.new(self.rules, self.digest, folder=self.settings.home / "calibration")
        engine.charts.profiles = profiles
        engine.withdrawn = {key: night for key, night in withdrawn.items() if keys.first <= key.decode() <= keys.last}
        if not plan.anew:
            patients, packed = store.read_states(self.connections.ahead, self.digest, plan.side, keys)
            if len(patients):
                engine.world = World.from_packed(len(VOICE), patients, packed)
            engine.book.rows = store.read_open_alerts(self.connections.ahead, self.digest, keys)
        return engine

    def _source(self, keys: KeyRange, due: DueOnce | None, last_night: int) -> RangeSource | _HistoryInMemory:
        """Return where the journals of a range come from."""
        from affect_pipeline.monitoring.sources import MemorySource
        from affect_pipeline.monitoring.store import WarehouseSource

        warehouse = WarehouseSource(self.connections.aside, self.digest, keys)
        if due is not None:
            return due.of(warehouse)
        return _HistoryInMemory(MemorySource(warehouse.everything(last_night)), warehouse)

    def _write(self, outputs: list[Output], known_through: date) -> None:
        """Write the rows of a range; of days after `known_through` nothing stands in the warehouse yet."""
        import pyarrow.compute as pc

        from affect_pipeline.monitoring import rows
        from affect_pipeline.monitoring.words import to_day
        from affect_pipeline.warehouse.load import append, upsert

        alerts, events = rows.alert_rows(outputs)
        days = rows.day_rows(outputs, self.digest)
        if days is not None:
            is_new = pc.greater(days["local_day"], known_through)
            append(self.connection, "monitored_days", days.filter(is_new))
            upsert(self.connection, "monitored_days", days.filter(pc.invert(is_new)))
        tables = {
            "baselines": rows.baseline_rows(outputs, self.digest),
            "drift_alerts": alerts,
            "alert_events": events,
        }
        for table, frame in tables.items():
            if frame is not None:
                upsert(self.connection, table, frame)
        for output in outputs:
            if to_day(self.nights.first) <= output.night <= to_day(self.nights.last):
                for event in output.events:
                    self.counts[event["kind"]] += 1

    def _execute(self, name: str, **values: object) -> None:
        import sqlalchemy as sa

        from affect_pipeline.warehouse.queries import sql

        statement = sa.text(sql(f"monitor/{name}"))
        wanted = {**values, "model_digest": self.digest}
        self.connection.execute(statement, wanted)

    def _one(self, name: str, **values: object) -> sa.Row[tuple[object, ...]] | None:
        import sqlalchemy as sa

        from affect_pipeline.warehouse.queries import sql

        statement = sa.text(sql(f"monitor/{name}").rstrip().rstrip(";"))
        bound = {**values, "model_digest": self.digest}
        return self.connection.execute(statement, {k: bound[k] for k in statement.compile().params}).one_or_none()


def _overlapped(
    ranges: list[KeyRange],
    read: Callable[[KeyRange], Engine],
    judge: Callable[[KeyRange, Engine], list[Output]],
    write: Callable[[KeyRange, Engine, list[Output]], None],
) -> None:
    """Read, judge and write range after range, the next being read and the last written while one is judged."""
    with ThreadPoolExecutor(1) as reader, ThreadPoolExecutor(1) as writer:
        upcoming, written = reader.submit(read, ranges[0]), None
        for keys, following in zip(ranges, [*ranges[1:], None], strict=True):
            engine = upcoming.result()
            if following is not None:
                upcoming = reader.submit(read, following)
            outputs = judge(keys, engine)
            if written is not None:
                written.result()
            written = writer.submit(write, keys, engine, outputs)
        if written is not None:
            written.result()


class _HistoryInMemory:
    """All journals of a range in memory; the cohort, which crosses ranges, from the warehouse."""

    def __init__(self, memory: object, warehouse: object) -> None:
        self.due = memory.due  # type: ignore[attr-defined]
        self.history = memory.history  # type: ignore[attr-defined]
        self.cohort = warehouse.cohort  # type: ignore[attr-defined]
