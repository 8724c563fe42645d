"""The nightly update, without a database: journals in, rows out, state in between.

A night does one of two things with a patient. Who records on time is taken one day further from the
stored state. Everybody else - a late journal, a new phone, a baseline that is still being learned - is
*replayed*: the current segment is run again from its first day, with what is known by that night.
Both ways run the same charts over the same days, so they end in the same state, to the last bit. All of
it is a function of the journals and their nights of arrival; no clock, no order of calls.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

import numpy as np

from affect_pipeline.monitoring.alerts import AlertBook, judge_alerts
from affect_pipeline.monitoring.arrays import Arrays, Bools, Floats, Ints, Texts, put, take
from affect_pipeline.monitoring.calibration import Limits
from affect_pipeline.monitoring.channels import VOICE, Channel
from affect_pipeline.monitoring.charts.adherence import Adherence
from affect_pipeline.monitoring.chartset import ChartSet, DayStatistics, weekday_of
from affect_pipeline.monitoring.journals import DayValues, Journals, day_values
from affect_pipeline.monitoring.output import ChartDays, Output
from affect_pipeline.monitoring.profile import Profile
from affect_pipeline.monitoring.profile_fit import fit_profile
from affect_pipeline.monitoring.replaying import Replayer
from affect_pipeline.monitoring.rules import Rules
from affect_pipeline.monitoring.segments import NEVER
from affect_pipeline.monitoring.sources import Source
from affect_pipeline.monitoring.world import (
    KINDS,
    LEARNING,
    N_DRIFT,
    WATCHED,
    WITHDRAWN,
    World,
    device_code,
)

PROFILE_PATIENTS = 2000
"""Patients that a cohort profile is estimated from, at most: enough for two digits, and bounded in cost."""

MIN_COHORT = 5
"""Patients that a round night's profile needs; with fewer, the night itself is asked."""

REFRESH_DAYS = 28
"""The stored baseline of a patient who is watched is written again this often; it moves slowly."""

REFUSED_WEIGHT = 0.3


@dataclass
class Charts:
    """Chart sets and limits by the night of the cohort profile they were made for.

    Parameters
    ----------
    rules : Rules
        Lengths and levels.
    channels : tuple of Channel
        Channels measured in the voice.
    folder : Path, optional
        Cache of limits; none keeps them in memory only.
    profiles : dict[int, Profile]
        Profile by the night it was estimated on.
    fixed : bool
        Whether the profiles are given (a replay) and none is to be estimated.
    """

    rules: Rules
    channels: tuple[Channel, ...] = VOICE
    folder: Path | None = None
    profiles: dict[int, Profile] = field(default_factory=dict)
    fixed: bool = False
    _sets: dict[int, ChartSet] = field(default_factory=dict, init=False)
    _limits: dict[int, dict[str, Limits]] = field(default_factory=dict, init=False)

    @cached_property
    def signs(self) -> Floats:
        """+1 where a rise is a worsening, -1 where a fall is."""
        return np.array([channel.sign for channel in self.channels], dtype=float)

    @property
    def groups(self) -> tuple[tuple[int, ...], ...]:
        """Channels that tend to move together."""
        names = sorted({channel.group for channel in self.channels})
        sets = [tuple(i for i, channel in enumerate(self.channels) if channel.group == name) for name in names]
        return tuple(group for group in sets if 1 < len(group) < len(self.channels))

    def of(self, night: int) -> ChartSet:
        """Return the charts for the profile of a night."""
        if night not in self._sets:
            self._sets[night] = ChartSet(self.profiles[night], self.signs, self.groups)
        return self._sets[night]

    def limits(self, night: int) -> dict[str, Limits]:
        """Return the limits for the profile of a night."""
        if night not in self._limits:
            self._limits[night] = self.of(night).limits(self.rules, self.folder)
        return self._limits[night]

    def newest(self, night: int) -> int:
        """Return the night of the newest profile by a night; `NEVER` if there is none."""
        return max((known for known in self.profiles if known <= night), default=NEVER)


@dataclass
class Engine:
    """All patients of one model version, night by night.

    Parameters
    ----------
    charts : Charts
        Charts, profiles and limits.
    world : World
        State of the patients.
    book : AlertBook
        Alerts so far.
    withdrawn : dict[bytes, int]
        First night on which a patient's consent was gone.
    """

    charts: Charts
    world: World
    book: AlertBook
    withdrawn: dict[bytes, int] = field(default_factory=dict)

    @classmethod
    def new(
        cls, rules: Rules, model_digest: str, channels: tuple[Channel, ...] = VOICE, folder: Path | None = None
    ) -> Engine:
        """Return an engine that knows nobody."""
        charts = Charts(rules, channels, folder)
        return cls(charts, World(len(channels)), AlertBook(model_digest, channels))

    def run_night(self, night: int, source: Source) -> Output:
        """Take one night in and return the rows it leaves.

        Parameters
        ----------
        night : int
            The night, as days since 1970-01-01; nights must come in order, none left out.
        source : Source
            Journals by what was known when.
        """
        due = source.due(night)
        self.world.register(due.patient)
        values = day_values(due)
        output = Output(night)
        self._withdraw(night, output)
        slow = self._needs_replay(values, due)
        told = self._take_adherence(night, slow)
        self._count_refused(due)
        self._note_journals(due)
        moved = self._go_on(night, values, slow, output)
        if slow.any():
            replayer = Replayer(self.charts, self.world, lambda: self._profile_for(night, source))
            moved |= replayer.replay(np.flatnonzero(slow), night, source, output)
            told |= slow & (self.world.state["phase"] == WATCHED)
        self.world.state["through_day"][:] = night
        judge_alerts(self.world, self.charts, self.book, moved=moved, told=told, output=output)
        self._refresh_baselines(night, output)
        output.add_day_values(values.rows(~slow[self.world.find(values.patient)]))
        return output

    def _withdraw(self, night: int, output: Output) -> None:
        """Stop watching patients whose consent is gone by now."""
        gone = [key for key, since in self.withdrawn.items() if since <= night]
        if not gone:
            return
        self.world.register(np.array(gone, "S32"))
        rows = self.world.find(np.array(gone, "S32"))
        fresh = rows[self.world.state["phase"][rows] != WITHDRAWN]
        for row in fresh:
            self.book.close_all(self.world, int(row), "consent was withdrawn", output)
        self.world.state["phase"][fresh] = WITHDRAWN
        output.add_withdrawn(self.world.keys[fresh])

    def _needs_replay(self, values: DayValues, due: Journals) -> Bools:
        """Return who cannot simply go on from state, shape (n_patients,)."""
        state = self.world.state
        slow = np.zeros(len(self.world), dtype=bool)
        rows = self.world.find(values.patient)
        late = values.day <= state["through_day"][rows]
        learning = state["phase"][rows] == LEARNING
        code = device_code(values.device)
        # through_day and device are looked at before this night changes them
        other = (code != 0) & (state["device"][rows] != code)
        gap = values.day - state["last_value_day"][rows] > self.charts.rules.gap_days
        slow[rows[late | learning | other | gap]] = True
        late_day = self.world.find(due.patient)[due.day <= state["through_day"][self.world.find(due.patient)]]
        slow[late_day] |= state["phase"][late_day] == WATCHED
        slow[state["phase"] == WITHDRAWN] = False
        return slow

    def _take_adherence(self, night: int, slow: Bools) -> Bools:
        """Judge whether watched patients recorded yesterday; today is not over yet."""
        state = self.world.state
        rows = (state["phase"] == WATCHED) & ~slow & (state["ready_day"] <= night - 1)
        if rows.any():
            chart = Adherence()
            names = [field.name for field in chart.fields()]
            part = {name: state[name][rows] for name in names}
            statistic = chart.take(part, state["last_journal_day"][rows] == night - 1)
            for name in names:
                state[name][rows] = part[name]
            state["statistic"][rows, KINDS.index("adherence")] = statistic
        return np.asarray(rows)

    def _count_refused(self, due: Journals) -> None:
        """Follow the share of a patient's journals that end in quarantine."""
        if len(due) == 0:
            return
        rows = self.world.find(due.patient)
        total = np.bincount(rows, minlength=len(self.world))
        refused = np.bincount(rows, weights=~due.accepted, minlength=len(self.world))
        seen = total > 0
        now = self.world.state["refused"][seen]
        share = (refused[seen] / total[seen]).astype(np.float32)
        self.world.state["refused"][seen] = now + np.float32(REFUSED_WEIGHT) * (share - now)

    def _note_journals(self, due: Journals) -> None:
        rows = self.world.find(due.patient)
        np.maximum.at(self.world.state["last_journal_day"], rows, due.day)

    def _go_on(self, night: int, values: DayValues, slow: Bools, output: Output) -> Bools:
        """Take watched patients one day further from their state; return who had a value."""
        state = self.world.state
        moved = np.zeros(len(self.world), dtype=bool)
        rows = self.world.find(values.patient)
        fast = ~slow[rows] & (state["phase"][rows] == WATCHED) & (values.day == night)
        rows, today = rows[fast], values.rows(fast)
        for profile_night in np.unique(state["profile_night"][rows]):
            mine = state["profile_night"][rows] == profile_night
            part = take(state, rows[mine])
            day = np.full(mine.sum(), night, dtype=np.int32)
            expected, low, high = band(part, day, self.charts.signs)
            statistics = self.charts.of(int(profile_night)).take(part, day, today.values[mine])
            part["last_value_day"][:] = night
            part["n_values"] += 1
            note_statistics(part, statistics)
            put(state, rows[mine], part)
            limits = self.charts.limits(int(profile_night))["worsening"].on(night - part["ready_day"])
            output.add_chart_days(ChartDays(
                self.world.keys[rows[mine]], day, expected, low, high, part["recent"] * self.charts.signs,
                statistics.worsening, limits,
            ))  # fmt: skip
            moved[rows[mine]] = True
        return moved

    def _profile_for(self, night: int, source: Source) -> int:
        """Return the profile that baselines which become ready tonight are pinned to.

        It is that of the last round night (every `Rules.profile_days`) on which there was a cohort to
        speak of, and tonight's where there was none: a function of the journals alone.
        """
        profiles, rules = self.charts.profiles, self.charts.rules
        if self.charts.fixed:
            return self.charts.newest(night)
        regular = night - night % rules.profile_days
        for on in (regular, night):
            if on not in profiles:
                first_day = on - 2 * rules.baseline_days + 1
                journals = source.cohort(first_day, on, rules.baseline_min_days, PROFILE_PATIENTS)
                profile = profile_of(day_values(journals), first_day, 2 * rules.baseline_days)
                if profile.n_patients < MIN_COHORT and on != night:
                    continue
                profiles[on] = profile
            return on
        raise AssertionError("tonight's profile is always made")

    def _refresh_baselines(self, night: int, output: Output) -> None:
        """Write the baselines that changed tonight, and everybody's now and then."""
        state = self.world.state
        spread_out = (_stagger(self.world.keys) + night) % REFRESH_DAYS == 0
        wanted = output.touched_rows(self.world.keys) | (spread_out & (state["phase"] == WATCHED))
        rows = np.flatnonzero(wanted & (state["phase"] != WITHDRAWN) & (state["n_values"] > 0))
        output.add_baselines(self.world, rows, self.charts)


def _stagger(keys: Texts) -> Ints:
    """Return a number for each patient that spreads refreshes over the days."""
    if len(keys) == 0:
        return np.zeros(0, np.int64)
    first = np.ascontiguousarray(keys.astype("S32")).view(np.uint8).reshape(len(keys), 32)[:, :4].astype(np.int64)
    return np.asarray(first @ np.array([1, 31, 37, 41]))


def note_statistics(state: Arrays, statistics: DayStatistics) -> None:
    """Keep the statistics of days that had a value, in place."""
    for k, value in enumerate((statistics.worsening, statistics.improving, statistics.spread)[:N_DRIFT]):
        state["statistic"][:, k] = np.where(np.isfinite(value), value, state["statistic"][:, k])


def band(state: Arrays, day: Ints, signs: Floats) -> tuple[Floats, Floats, Floats]:
    """Return what is expected on a day and the band that 95 % of ordinary days fall in, in the channels' units."""
    information = np.maximum(state["lr_information"], 1e-9)
    mean = state["lr_score"] / information
    residual = np.maximum(state["lr_squares"] - state["lr_score"] * mean, 1e-12)
    sd = np.sqrt(residual / np.maximum(state["lr_df"], 1.0))
    weekday = state["weekday"][np.arange(len(day)), weekday_of(day)]
    expected = state["center"] + state["scale"] * (weekday + mean * signs)
    half = 1.96 * state["scale"] * sd
    return expected, expected - half, expected + half


def profile_of(values: DayValues, first_day: int, n_days: int) -> Profile:
    """Estimate the cohort's profile from recent day values."""
    keys, where = np.unique(values.patient, return_inverse=True)
    grid = np.full((len(keys), n_days, values.values.shape[1]), np.nan)
    inside = (values.day >= first_day) & (values.day < first_day + n_days)
    grid[where[inside], values.day[inside] - first_day] = values.values[inside]
    seen = np.isfinite(grid).any(axis=2)
    start = seen.argmax(axis=1) if len(grid) else np.zeros(0, np.int64)
    grid, lengths = _from_first_value(grid, start)
    profile = fit_profile(grid, weekday_of(start + first_day))
    if not len(grid):
        return profile
    rates = seen.sum(axis=1) / np.maximum(lengths, 1)
    noise = float((rates * (1 - rates) / np.maximum(lengths, 1)).mean())
    return replace(
        profile,
        missing=round(float(np.clip(1.0 - rates.mean(), 0.0, 0.95)), 6),
        missing_sd=round(float(np.sqrt(max(rates.var() - noise, 0.0))), 6),
    )


def _from_first_value(grid: Floats, start: Ints) -> tuple[Floats, Ints]:
    """Shift each patient's days so that the first value stands first; return the days each then has."""
    n_days = grid.shape[1]
    index = start[:, None] + np.arange(n_days)
    shifted = np.take_along_axis(grid, np.minimum(index, n_days - 1)[:, :, None], axis=1)
    shifted[index >= n_days] = np.nan
    return shifted, n_days - start
