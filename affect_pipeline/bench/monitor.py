"""What a night costs: array maths alone, with the warehouse round trip, with a long past, and against river.

States are those of patients who were really run through a baseline and eight weeks of nights; a few
thousand of them are repeated under other keys, because what a night costs does not depend on who it is.
"""

from __future__ import annotations

import resource
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from affect_pipeline.monitoring.arrays import Arrays, Floats, take
from affect_pipeline.monitoring.channels import VOICE
from affect_pipeline.monitoring.charts.adherence import Adherence
from affect_pipeline.monitoring.engine import Charts, band, note_statistics
from affect_pipeline.monitoring.profile import Profile, default_profile
from affect_pipeline.monitoring.rules import Rules
from affect_pipeline.monitoring.simulation import in_control
from affect_pipeline.monitoring.words import to_date
from affect_pipeline.monitoring.world import KINDS, WATCHED, World, device_code
from affect_pipeline.settings import Settings

if TYPE_CHECKING:
    import sqlalchemy as sa

DAY_0 = 20_000
N_CHANNELS = len(VOICE) + 1
"""Channels in the voice, and adherence."""

CHUNK = 100_000
DIGEST = "c" * 64
PROFILE_DAY, READY_DAY = DAY_0 - 60, DAY_0 - 56
RECORDING = 0.7
"""Share of patients who record on a day."""


@dataclass(frozen=True)
class Size:
    """How much is measured.

    Parameters
    ----------
    n_patients : int
        Patients of the large night; the small one has a tenth of them.
    n_modelled : int
        Patients who are really run; the rest are copies of them under other keys.
    n_aged : int
        The same, for states that are years old.
    years : tuple of float
        Ages of the states that are compared.
    repeats : int
        Measurements of which the quickest counts.
    n_river : int
        Patients of the loop over river's detectors.
    """

    n_patients: int = 1_000_000
    n_modelled: int = 2000
    n_aged: int = 500
    years: tuple[float, float] = (1.0, 5.0)
    repeats: int = 5
    n_river: int = 200


QUICK = Size(n_patients=2000, n_modelled=300, n_aged=100, years=(0.2, 0.3), repeats=1, n_river=10)


@dataclass(frozen=True)
class Night:
    """Seconds that one night's array maths took, and for how many patients."""

    n_patients: int
    seconds: float

    @property
    def per_patient_us(self) -> float:
        """Microseconds a patient."""
        return 1e6 * self.seconds / max(self.n_patients, 1)


def charts(folder: Path | None = None) -> Charts:
    """Return charts with a typical cohort profile; limits are kept in `folder`."""
    made = Charts(Rules(), folder=folder)
    made.profiles = {PROFILE_DAY: profile()}
    return made


def profile() -> Profile:
    """Return a typical cohort."""
    return replace(default_profile(len(VOICE)), between_sd=(0.25,) * len(VOICE))


def grown(n_nights: int, n_patients: int, seed: int = 1) -> Arrays:
    """Return states of patients after a baseline and so many nights in which nothing changed."""
    chart, base = charts().of(PROFILE_DAY), Rules().baseline_days
    values, _ = in_control(profile(), n_patients, base + n_nights, seed)
    recorded = np.asarray(np.isfinite(values).any(axis=2))
    first = np.full(n_patients, DAY_0 - base - n_nights, dtype=np.int32)
    state, _ = chart.start(values[:, :base], first, recorded[:, :base].sum(axis=1))
    statistic = np.zeros((n_patients, len(KINDS)), dtype=np.float32)
    state["statistic"] = statistic
    for night in range(base, base + n_nights):
        note_statistics(state, chart.take(state, first + night, values[:, night]))
        statistic[:, KINDS.index("adherence")] = chart.adherence.take(state, recorded[:, night])
    return state


def without_alerts(state: Arrays, folder: Path) -> Arrays:
    """Return the states of those who are within their limits: the others would have been alerted on earlier nights."""
    limits = charts(folder).limits(PROFILE_DAY)
    day = np.array([DAY_0 - READY_DAY])
    highest = np.array([0.8 * limits[kind].on(day)[0] for kind in KINDS[:4]])
    return take(state, np.flatnonzero((state["statistic"][:, :4] < highest).all(axis=1)))


def repeated(state: Arrays, n: int) -> Arrays:
    """Return `n` patients, the given ones again and again."""
    return take(state, np.arange(n) % len(next(iter(state.values()))))


def time_maths(state: Arrays, n_patients: int, seed: int = 3) -> Night:
    """Time one night for so many patients, a chunk at a time, as the stage does it."""
    made = charts()
    chart, adherence, limit = made.of(PROFILE_DAY), Adherence(), np.linspace(2.0, 7.0, 120)
    rng = np.random.default_rng(seed)
    n_chunk = min(n_patients, CHUNK)
    some = repeated(state, n_chunk)
    values = rng.standard_normal((n_chunk, len(VOICE)))
    values[rng.random(n_chunk) > RECORDING] = np.nan
    day = np.full(n_chunk, DAY_0, dtype=np.int32)
    recorded, seconds, done = np.isfinite(values[:, 0]), 0.0, 0
    while done < n_patients:
        work = {name: array.copy() for name, array in some.items()}
        begun = time.perf_counter()
        adherence.take(work, recorded)
        band(work, day, made.signs)
        statistics = chart.take(work, day, values)
        _ = statistics.worsening >= limit[np.clip(day - DAY_0, 0, 119)]
        seconds += time.perf_counter() - begun
        done += n_chunk
    return Night(done, seconds)


def aged(size: Size, seed: int) -> list[Night]:
    """Time the same night after few and after many years, by turns, so that both meet the same disturbances."""
    states = [grown(round(365 * years), size.n_aged, seed) for years in size.years]
    rounds = [[time_maths(state, size.n_patients // 10) for state in states] for _ in range(size.repeats)]
    return [min(nights, key=lambda night: night.seconds) for nights in zip(*rounds, strict=True)]


def best_of(repeats: int, measure: Callable[[], Night]) -> Night:
    """Return the quickest of several measurements: other work on the machine only ever slows one down."""
    return min((measure() for _ in range(repeats)), key=lambda night: night.seconds)


def river_loop(seed: int, n_patients: int) -> dict[str, float]:
    """Return microseconds per patient for a loop over river's detectors, one object a patient and channel."""
    from affect_pipeline.bench.river_detectors import DETECTORS, make

    rng = np.random.default_rng(seed)
    found = {}
    for name, kind, low, high in DETECTORS:
        detectors = [[make(kind, (low + high) / 2) for _ in range(N_CHANNELS)] for _ in range(n_patients)]
        history = rng.standard_normal((60, n_patients, N_CHANNELS))
        for night in history:
            _feed(detectors, night)
        begun = time.perf_counter()
        for night in history[:3]:
            _feed(detectors, night)
        found[name] = 1e6 * (time.perf_counter() - begun) / 3 / n_patients
    return found


def _feed(detectors: list[list[Any]], night: Floats) -> None:
    for of_patient, values in zip(detectors, night.tolist(), strict=True):
        for detector, value in zip(of_patient, values, strict=True):
            detector.update(value)


@dataclass(frozen=True)
class Figures:
    """All that `affect bench monitor` measures.

    Parameters
    ----------
    small, large : Night
        Array maths for a tenth of the patients and for all of them.
    aged : list of Night
        Array maths on states of the two ages.
    years : tuple of float
        These ages.
    river : dict[str, float]
        Microseconds a patient of a loop over each of river's detectors.
    trips : list of RoundTrip
        The stage with its warehouse, for a tenth of the patients and for all; empty if left out.
    """

    small: Night
    large: Night
    aged: list[Night]
    years: tuple[float, float]
    river: dict[str, float]
    trips: list[RoundTrip]

    def ratios(self) -> dict[str, float]:
        """Return what is compared with what, by name."""
        found = {
            "array maths, ten times the patients": self.large.seconds / self.small.seconds,
            f"after {self.years[1]:g} years against {self.years[0]:g}": self.aged[1].seconds / self.aged[0].seconds,
            "river's detectors against ours": sum(self.river.values()) / self.large.per_patient_us,
        }
        if self.trips:
            found["stage, ten times the patients"] = self.trips[1].seconds / self.trips[0].seconds
        return found

    def rows(self) -> list[dict[str, Any]]:
        """Return every measurement as a row of a table."""
        maths = [(f"array maths, {night.n_patients:,} patients x {N_CHANNELS} channels", night) for night in
                 (self.small, self.large)]  # fmt: skip
        maths += [(f"array maths, {night.n_patients:,} patients after {years:g} years", night) for years, night in
                  zip(self.years, self.aged, strict=True)]  # fmt: skip
        rows = [_row(what, night.seconds, night.per_patient_us) for what, night in maths]
        rows += [
            _row(f"stage with warehouse, {trip.n_patients:,} patients, {trip.n_journals:,} journals", trip.seconds,
                 1e6 * trip.seconds / trip.n_patients, trip.peak_gib)
            for trip in self.trips
        ]  # fmt: skip
        rows += [_row(f"Python loop over {name}", None, cost) for name, cost in self.river.items()]
        return [*rows, _row("Python loop over these three", None, sum(self.river.values()))]

    def note(self) -> str:
        """Return the ratios in words."""
        return "; ".join(f"{name}: {ratio:.2f} times" for name, ratio in self.ratios().items())


def _row(what: str, seconds: float | None, cost_us: float, peak_gib: float | None = None) -> dict[str, Any]:
    return {"what": what, "seconds": seconds, "µs a patient": cost_us, "peak GiB": peak_gib}


def measure(size: Size, seed: int, warehouse: bool = True, say: Callable[[str], None] = lambda _: None) -> Figures:
    """Measure everything.

    Parameters
    ----------
    size : Size
        How much.
    seed : int
        Of the made-up patients.
    warehouse : bool
        Whether the stage with its warehouse is timed, too.
    say : callable
        Told what is being done.
    """
    say("array maths")
    state = grown(56, size.n_modelled, seed)
    time_maths(state, 1000)  # compiles
    small, large = (
        best_of(size.repeats, partial(time_maths, state, n)) for n in (size.n_patients // 10, size.n_patients)
    )
    say("states that are years old")
    old = aged(size, seed)
    say("river's detectors")
    river = river_loop(seed, size.n_river)
    trips = []
    # the first trip compiles what alerts need; an installation does that once
    for n in (500, size.n_patients // 10, size.n_patients) if warehouse else ():
        say(f"the stage with its warehouse, {n:,} patients")
        with tempfile.TemporaryDirectory(prefix="affect-bench-") as home:
            trips.append(round_trip(Path(home), n, state))
    return Figures(small, large, old, size.years, river, trips[1:])


@dataclass(frozen=True)
class RoundTrip:
    """What one night of the monitor stage took, warehouse and all.

    Parameters
    ----------
    n_patients, n_journals : int
        Patients with a state, and journals of the night.
    seconds : float
        From opening the transaction to its commit.
    peak_gib : float
        Largest memory of this process so far.
    """

    n_patients: int
    n_journals: int
    seconds: float
    peak_gib: float


def round_trip(home: Path, n_patients: int, state: Arrays) -> RoundTrip:
    """Fill a warehouse with patients, states and one night of scored journals, and time the monitor stage."""
    from affect_pipeline.nights import Nights
    from affect_pipeline.stages.monitor import monitor
    from affect_pipeline.warehouse.embedded import stop
    from affect_pipeline.warehouse.engine import connect
    from affect_pipeline.warehouse.migrate import migrate

    settings = Settings(home=home, landing_url="", warehouse_url="", mlflow_uri="", pseudonym_secret_file=None)
    night = Nights.one(to_date(DAY_0))
    n_journals = round(RECORDING * n_patients)
    try:
        engine = connect(settings)
        migrate(engine)
        state = without_alerts(state, settings.home / "calibration")
        _fill(engine, settings, n_patients, n_journals, state)
        begun = time.perf_counter()
        monitor(settings, night)
        seconds = time.perf_counter() - begun
    finally:
        stop(settings)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    return RoundTrip(n_patients, n_journals, seconds, peak)


def _fill(engine: sa.Engine, settings: Settings, n_patients: int, n_journals: int, state: Arrays) -> None:
    import hashlib

    import sqlalchemy as sa

    from affect_pipeline.monitoring import store
    from affect_pipeline.stages.monitor import rules_digest
    from affect_pipeline.warehouse.load import ensure_months
    from affect_pipeline.warehouse.queries import sql

    night = to_date(DAY_0)
    values = {"night": night, "n_patients": n_patients, "n_journals": n_journals, "model_digest": DIGEST}
    with engine.begin() as connection:
        for table in ("scores", "biomarkers"):
            ensure_months(connection, table, [night])
        for name in ("patients", "night", "scores", "biomarkers"):
            statement = sa.text(sql(f"bench/fill_monitor_{name}"))
            wanted = {key: value for key, value in values.items() if f":{key}" in statement.text}
            connection.execute(statement, wanted)
        progress = {
            "model_digest": DIGEST, "first_night": night - timedelta(days=60),
            "through_night": night - timedelta(days=1),
            "rules": rules_digest(Rules.from_settings(settings)), "side": 0,
        }  # fmt: skip
        connection.execute(sa.text(sql("monitor/set_progress")), progress)
        store.write_profiles(connection, DIGEST, {PROFILE_DAY: profile()})
        store.clear_states(connection, DIGEST, 0, shared=False)
        keys = np.sort(
            np.array(
                [hashlib.md5(str(n + 1).encode(), usedforsecurity=False).hexdigest() for n in range(n_patients)], "S32"
            )
        )
        for part in store.key_ranges(n_patients, CHUNK):
            chosen = keys[(keys >= part.first.encode()) & (keys <= part.last.encode())]
            store.write_states(connection, DIGEST, 0, watched(chosen, state))
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(sa.text(sql("bench/refresh_statistics")))


def watched(keys: np.ndarray[Any, Any], state: Arrays) -> World:
    """Return patients who are being watched, with the given charts."""
    world = World(len(VOICE), keys)
    world.state |= repeated(state, len(keys))
    world.state["phase"][:] = WATCHED
    world.state["profile_night"][:] = PROFILE_DAY
    world.state["ready_day"][:] = READY_DAY
    world.state["segment_start"][:] = DAY_0 - 84
    world.state["last_value_day"][:] = world.state["last_journal_day"][:] = DAY_0 - 1
    world.state["through_day"][:] = DAY_0 - 1
    world.state["n_values"][:] = 60
    world.state["device"][:] = device_code(np.array(["phone"]))[0]
    for name in ("restart_day", "froze_day", "thaw_day", "opened_night", "cool_until", "updated_night"):
        world.state[name][:] = -(2**30)
    return world
