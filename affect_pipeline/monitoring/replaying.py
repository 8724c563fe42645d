"""Running a patient's current segment again, from its first day, with what is known by a night."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from affect_pipeline.monitoring.arrays import Arrays, Bools, Floats, Ints, put, take
from affect_pipeline.monitoring.baseline import Carried, carry
from affect_pipeline.monitoring.charts.likelihood_ratio import LikelihoodRatio
from affect_pipeline.monitoring.journals import DayValues, Journals, day_values
from affect_pipeline.monitoring.output import ChartDays, Output
from affect_pipeline.monitoring.profile import Profile
from affect_pipeline.monitoring.segments import NEVER, Segment, current_segment
from affect_pipeline.monitoring.sources import Source
from affect_pipeline.monitoring.world import KINDS, LEARNING, WATCHED, World, device_code

if TYPE_CHECKING:
    from affect_pipeline.monitoring.engine import Charts

CARRIED_DAYS = 56
"""Days before a new baseline that say something about the patient's spread."""


@dataclass
class Replayer:
    """Replays patients; see `Engine`.

    Parameters
    ----------
    charts : Charts
        Charts, profiles and limits.
    world : World
        State of all patients; rows of those replayed are written.
    choose_profile : callable
        Says which profile baselines that become ready tonight are pinned to.
    """

    charts: Charts
    world: World
    choose_profile: Callable[[], int]

    def replay(self, rows: Ints, night: int, source: Source, output: Output) -> Bools:
        """Replay patients and return whose charts had something to judge, shape (n_patients,)."""
        journals = source.history(self.world.keys[rows], night)
        values = day_values(journals)
        low = np.searchsorted(values.patient, self.world.keys[rows], side="left")
        high = np.searchsorted(values.patient, self.world.keys[rows], side="right")
        some = high > low
        rows, low, high = rows[some], low[some], high[some]
        segments = [self._segment(row, values.rows(slice(a, b))) for row, a, b in zip(rows, low, high, strict=True)]
        for row, segment, b in zip(rows, segments, high, strict=True):
            self._note(int(row), segment, int(values.day[b - 1]), night)
        output.add_day_values(values)
        self._note_last_journal(journals)
        ready = np.array([segment.ready_day != NEVER for segment in segments], dtype=bool)
        moved = np.zeros(len(self.world), dtype=bool)
        output.add_learning(self.world, rows[~ready], [s for s in segments if s.ready_day == NEVER], self.charts)
        if not ready.any():
            return moved
        self._pin(rows[ready], self.choose_profile)
        output.touch(self.world.keys[rows[ready]])
        starts = low + np.array([segment.first_row for segment in segments])
        for profile_night in np.unique(self.world.state["profile_night"][rows[ready]]):
            mine = ready & (self.world.state["profile_night"][rows] == profile_night)
            spans = list(zip(low[mine], starts[mine], high[mine], strict=True))
            self._run(
                int(profile_night),
                rows=rows[mine],
                spans=spans,
                values=values,
                journals=journals,
                night=night,
                output=output,
            )
        moved[rows[ready]] = True
        return moved

    def _segment(self, row: int, values: DayValues) -> Segment:
        restart = int(self.world.state["restart_day"][row])
        return current_segment(values.day, values.device, self.charts.rules, () if restart == NEVER else (restart,))

    def _note(self, row: int, segment: Segment, last_day: int, night: int) -> None:
        """Write what the segment says into the state of one patient."""
        state = self.world.state
        if (segment.start, segment.number) != (int(state["segment_start"][row]), int(state["segment"][row])):
            state["profile_night"][row] = NEVER
            state["statistic"][row] = 0.0
        if segment.ready_day == NEVER:
            state["profile_night"][row] = NEVER
        state["segment"][row], state["segment_start"][row] = segment.number, segment.start
        state["ready_day"][row] = segment.ready_day
        state["phase"][row] = LEARNING if segment.ready_day == NEVER else WATCHED
        state["device"][row] = device_code(np.array([segment.device]))[0]
        state["n_values"][row] = segment.n_values
        state["last_value_day"][row] = last_day

    def _note_last_journal(self, journals: Journals) -> None:
        rows = self.world.find(journals.patient)
        np.maximum.at(self.world.state["last_journal_day"], rows, journals.day)

    def _pin(self, rows: Ints, choose: Callable[[], int]) -> None:
        """Pin baselines that are ready for the first time to a cohort profile."""
        pinned = self.world.state["profile_night"]
        unpinned = rows[pinned[rows] == NEVER]
        if len(unpinned):
            pinned[unpinned] = choose()

    def _run(
        self,
        profile_night: int,
        *,
        rows: Ints,
        spans: list[tuple[int, int, int]],
        values: DayValues,
        journals: Journals,
        night: int,
        output: Output,
    ) -> None:
        """Start the charts of patients with one profile and take them through the days up to the night."""
        from affect_pipeline.monitoring.engine import band, note_statistics

        charts, limits = self.charts.of(profile_night), self.charts.limits(profile_night)["worsening"]
        n_base = self.charts.rules.baseline_days
        whole = take(self.world.state, rows)
        first = whole["ready_day"] - n_base
        n_days = int((night - first).max()) + 1
        grid, recorded = self._grids(rows, spans, values=values, journals=journals, first=first, n_days=n_days)
        started, _ = charts.start(
            grid[:, :n_base], first, recorded[:, :n_base].sum(axis=1), self._carried(charts.profile, spans, values)
        )
        whole |= started
        for k in range(n_base, n_days):
            alive = first + k <= night
            part = whole if alive.all() else take(whole, alive)
            day = (first + k)[alive].astype(np.int32)
            seen = np.isfinite(grid[alive, k]).any(axis=1)
            expected, low, high = band(part, day, self.charts.signs)
            statistics = charts.take(part, day, grid[alive, k])
            note_statistics(part, statistics)
            if k > n_base:
                adherence = charts.adherence.take(part, recorded[alive, k - 1])
                part["statistic"][:, KINDS.index("adherence")] = adherence
            self._refreeze(part, day, charts.drift)
            if not alive.all():
                put(whole, np.flatnonzero(alive), part)
            if seen.any():
                output.add_chart_days(ChartDays(
                    self.world.keys[rows[alive][seen]], day[seen], expected[seen], low[seen], high[seen],
                    part["recent"][seen] * self.charts.signs, statistics.worsening[seen],
                    limits.on(k - n_base + np.zeros(seen.sum(), np.int64)),
                ))  # fmt: skip
        put(self.world.state, rows, whole)

    def _refreeze(self, part: Arrays, day: Ints, drift: LikelihoodRatio) -> None:
        """Stop and resume learning on the days on which alerts did so when they were live."""
        for rows, act in ((part["froze_day"] == day, "freeze"), (part["thaw_day"] == day, "thaw")):
            if rows.any():
                some = take(part, rows)
                if act == "freeze":
                    worse, better = drift.describe(some, True).onset, drift.describe(some, False).onset
                    drift.freeze(some, np.where(some["froze_worse"] == 1, worse, better))
                else:
                    drift.thaw(some)
                put(part, np.flatnonzero(rows), some)

    def _grids(
        self,
        rows: Ints,
        spans: list[tuple[int, int, int]],
        *,
        values: DayValues,
        journals: Journals,
        first: Ints,
        n_days: int,
    ) -> tuple[Floats, Bools]:
        """Return values (n_patients, n_days, n_channels) from each patient's first day, and days with any journal."""
        n_channels = values.values.shape[1]
        grid = np.full((len(rows), n_days, n_channels), np.nan)
        recorded = np.zeros((len(rows), n_days), dtype=bool)
        for i, (_, start, end) in enumerate(spans):
            offset = values.day[start:end] - first[i]
            inside = offset >= 0
            grid[i, offset[inside]] = values.values[start:end][inside]
            a = np.searchsorted(journals.patient, self.world.keys[rows[i]], side="left")
            b = np.searchsorted(journals.patient, self.world.keys[rows[i]], side="right")
            offset = journals.day[a:b] - first[i]
            recorded[i, offset[offset >= 0]] = True
        return grid, recorded

    def _carried(self, profile: Profile, spans: list[tuple[int, int, int]], values: DayValues) -> Carried | None:
        """Return what the days before each segment say about the spread; None where nobody has any."""
        if all(before == start for before, start, _ in spans):
            return None
        n_channels = values.values.shape[1]
        earlier = np.full((len(spans), CARRIED_DAYS, n_channels), np.nan)
        for i, (before, start, _) in enumerate(spans):
            old = values.values[max(before, start - CARRIED_DAYS) : start]
            earlier[i, : len(old)] = old
        return carry(profile, earlier)
