"""Alerts: opened, updated and resolved, with hysteresis and a time to cool down."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from affect_pipeline.monitoring import words
from affect_pipeline.monitoring.arrays import Bools, Floats, Ints
from affect_pipeline.monitoring.channels import Channel
from affect_pipeline.monitoring.charts.likelihood_ratio import oldest_candidate
from affect_pipeline.monitoring.output import Output
from affect_pipeline.monitoring.segments import NEVER
from affect_pipeline.monitoring.words import Moved, to_date
from affect_pipeline.monitoring.world import KINDS, LEARNING, WATCHED, World

if TYPE_CHECKING:
    from affect_pipeline.monitoring.engine import Charts

SEVERITIES: tuple[str, ...] = ("low", "moderate", "high", "urgent")
DIRECTIONS = {
    "worsening": "worsening", "improving": "improving", "spread": "worsening", "adherence": "adherence_lost",
    "quality": "quality_lost",
}  # fmt: skip

REFUSED_HIGH, REFUSED_LOW = 0.75, 0.3
"""Share of refused recordings, smoothed, at which an alert of quality is raised and let go."""

MOVED_SD, MOVED_Z = 0.5, 1.5
"""A channel has moved if it changed by so many SDs and by so many standard errors."""


@dataclass
class AlertBook:
    """Alerts that are open, as rows of the warehouse.

    Parameters
    ----------
    model_digest : str
        Model version of the charts.
    channels : tuple of Channel
        Channels measured in the voice.
    rows : dict
        Row by alert id; those that are open, and those written since.
    """

    model_digest: str
    channels: tuple[Channel, ...]
    rows: dict[str, dict[str, Any]] = field(default_factory=dict)

    def alert_id(self, patient: bytes, opened_night: int, kind: str) -> str:
        """Return the identity of an alert: it follows from what it is about."""
        text = f"{patient.decode()}|{self.model_digest}|{to_date(opened_night).isoformat()}|{kind}"
        return hashlib.sha256(text.encode()).hexdigest()[:32]

    def close_all(self, world: World, row: int, why: str, output: Output) -> None:
        """Resolve every open alert of a patient."""
        for k in np.flatnonzero(world.state["open"][row]):
            self.resolve(world, row, int(k), why=why, output=output)

    def resolve(self, world: World, row: int, k: int, *, why: str, output: Output) -> None:
        """Resolve one alert."""
        state, night = world.state, output.night
        alert = self.rows[self.alert_id(bytes(world.keys[row]), int(state["opened_night"][row, k]), KINDS[k])]
        text = f"Resolved on {words.short(night)}: {why}. Before: {alert['explanation']}"
        alert |= {
            "state": "resolved",
            "resolved_night": to_date(night),
            "last_night": to_date(night),
            "explanation": text,
        }
        state["open"][row, k], state["quiet"][row, k] = 0, 0
        self._write(world, row, k, what="resolved", alert=alert, output=output)

    def record(self, world: World, row: int, k: int, *, what: str, alert: dict[str, Any], output: Output) -> None:
        """Write an alert that was opened or updated."""
        old = self.rows.get(alert["alert_id"], {})
        keep = {name: old[name] for name in ("opened_night", "opened_day") if name in old}
        self.rows[alert["alert_id"]] = alert | keep
        world.state["updated_night"][row, k] = output.night
        world.state["severity"][row, k] = SEVERITIES.index(alert["severity"])
        self._write(world, row, k, what=what, alert=self.rows[alert["alert_id"]], output=output)

    def _write(self, world: World, row: int, k: int, *, what: str, alert: dict[str, Any], output: Output) -> None:
        world.state["n_events"][row, k] += 1
        output.alerts[alert["alert_id"]] = dict(alert)
        output.events.append({
            "alert_id": alert["alert_id"], "seq": int(world.state["n_events"][row, k]), "night": to_date(output.night),
            "kind": what, "severity": alert["severity"], "score": alert["score"], "explanation": alert["explanation"],
        })  # fmt: skip
        output.touch(world.keys[row : row + 1])


def judge_alerts(world: World, charts: Charts, book: AlertBook, *, moved: Bools, told: Bools, output: Output) -> None:
    """Open, update and resolve alerts of one night.

    Parameters
    ----------
    world, charts, book
        State, limits and alerts so far.
    moved : ndarray of bool, shape (n_patients,)
        Who had a value that charts judged.
    told : ndarray of bool, shape (n_patients,)
        Of whom it is known whether they recorded yesterday.
    output : Output
        Takes the rows; knows the night.
    """
    night = output.night
    if len(world) == 0:
        return
    judge = _Judge(world, charts, book, night, output)
    restarted = (world.state["phase"] == LEARNING) & world.state["open"][:, :3].astype(bool).any(axis=1)
    for row in np.flatnonzero(restarted):
        judge.close_drift(int(row), "a new baseline has begun")
    limits = judge.limits(moved | told)
    fresh = np.zeros((len(world), len(KINDS)), dtype=bool)
    fresh[:, :3], fresh[:, 3] = moved[:, None], told
    fresh[:, 4] = world.state["last_journal_day"] >= night - 1
    is_open = world.state["open"].astype(bool)
    watched = (world.state["phase"] == WATCHED)[:, None]
    high = fresh & ~is_open & (world.state["cool_until"] < night) & (judge.statistics() >= limits)
    high[:, :4] &= watched
    for row, k in np.argwhere(high):
        judge.open(int(row), int(k), float(limits[row, k]))
    for row, k in np.argwhere(is_open & (fresh | (np.arange(len(KINDS)) == 3)) & world.state["open"].astype(bool)):
        judge.follow(int(row), int(k), float(limits[row, k]))


@dataclass
class _Judge:
    """One night's decisions."""

    world: World
    charts: Charts
    book: AlertBook
    night: int
    output: Output

    def statistics(self) -> Floats:
        """Return the statistic of every patient and kind."""
        table = self.world.state["statistic"].astype(float)
        table[:, 4] = self.world.state["refused"]
        return table

    def limits(self, rows: Bools) -> Floats:
        """Return the limit of every patient and kind today; infinite where nothing is judged."""
        state = self.world.state
        table = np.full((len(self.world), len(KINDS)), np.inf)
        table[:, 4] = REFUSED_HIGH
        rows = (rows | state["open"].astype(bool).any(axis=1)) & (state["phase"] == WATCHED)
        for profile_night in np.unique(state["profile_night"][rows]):
            mine = np.flatnonzero(rows & (state["profile_night"] == profile_night))
            limits = self.charts.limits(int(profile_night))
            for k, kind in enumerate(KINDS[:4]):
                last = state["last_value_day"][mine] if k < 3 else np.full(len(mine), self.night - 1)
                table[mine, k] = limits[kind].on(last - state["ready_day"][mine])
        return table

    def open(self, row: int, k: int, limit: float) -> None:
        """Raise an alert."""
        state = self.world.state
        state["open"][row, k], state["quiet"][row, k] = 1, 0
        state["opened_night"][row, k], state["n_events"][row, k] = self.night, 0
        alert = self._describe(row, k, limit)
        self.book.record(self.world, row, k, what="opened", alert=alert, output=self.output)
        if k < 2:
            self._freeze(row, k)

    def follow(self, row: int, k: int, limit: float) -> None:
        """Resolve an alert that has settled, or update one that goes on."""
        state, rules = self.world.state, self.charts.rules
        quiet = int(state["quiet"][row, k]) + 1 if self._is_quiet(row, k, limit) else 0
        state["quiet"][row, k] = min(quiet, 255)
        if quiet >= (rules.settle_days if k < 3 else 1):
            self._settle(row, k, "back in the usual range")
            return
        if k < 2 and self.night - int(state["opened_night"][row, k]) >= rules.lasting_days:
            self.close_drift(row, "the change has lasted; it is taken as the new level and a new baseline begins")
            state["restart_day"][row], state["phase"][row] = self.night + 1, LEARNING
            return
        alert = self._describe(row, k, limit)
        rises = SEVERITIES.index(alert["severity"]) > int(state["severity"][row, k])
        due = self.night - int(state["updated_night"][row, k]) >= rules.update_days
        if rises or (due and k != 3):
            self.book.record(self.world, row, k, what="updated", alert=alert, output=self.output)

    def close_drift(self, row: int, why: str) -> None:
        """Resolve what a new baseline makes void."""
        for k in (0, 1, 2):
            if self.world.state["open"][row, k]:
                self._settle(row, k, why)

    def _settle(self, row: int, k: int, why: str) -> None:
        state = self.world.state
        self.book.resolve(self.world, row, k, why=why, output=self.output)
        state["cool_until"][row, k] = self.night + self.charts.rules.cool_down_days
        if k < 2 and state["lr_frozen"][row] and not state["open"][row, :2].any():
            state["thaw_day"][row] = state["last_value_day"][row]
            if state["profile_night"][row] != NEVER:
                part = self._one(row)
                self.charts.of(int(state["profile_night"][row])).drift.thaw(part)
                self._put(row, part)

    def _freeze(self, row: int, k: int) -> None:
        """Stop learning while a change is suspected."""
        state = self.world.state
        if state["lr_frozen"][row]:
            return
        part = self._one(row)
        drift = self.charts.of(int(state["profile_night"][row])).drift
        drift.freeze(part, drift.describe(part, k == 0).onset)
        self._put(row, part)
        state["froze_day"][row], state["thaw_day"][row] = state["last_value_day"][row], NEVER
        state["froze_worse"][row] = int(k == 0)

    def _is_quiet(self, row: int, k: int, limit: float) -> bool:
        state = self.world.state
        if k == 4:
            return float(state["refused"][row]) < REFUSED_LOW
        statistic = float(state["statistic"][row, k])
        if k == 3:
            return statistic < limit / 3
        if k == 2:
            return statistic < limit / 2
        since_information, since_score = oldest_candidate(state, row)
        information = state["lr_information"][row] - since_information
        usual = (state["lr_score"][row] - since_score) / np.maximum(information, 1.0)
        side = 1.0 if k == 0 else -1.0
        departure = side * (state["recent"][row] - np.clip(usual, -1.5, 1.5))
        chosen = _bits(int(state["moved"][row, k]), len(departure))
        return float(np.mean(departure[chosen])) < self.charts.rules.settle_sd

    def _describe(self, row: int, k: int, limit: float) -> dict[str, Any]:
        """Return the alert as a row of the warehouse."""
        state, kind = self.world.state, KINDS[k]
        opened = int(state["opened_night"][row, k])
        margin = float(self.statistics()[row, k]) - limit
        if k < 2:
            special = self._drift(row, k, limit, margin)
        elif k == 2:
            special = self._spread(row)
        elif k == 3:
            special = self._adherence(row)
        else:
            special = self._quality(row)
        rank = SEVERITIES.index(special["severity"])
        return {
            "alert_id": self.book.alert_id(bytes(self.world.keys[row]), opened, kind),
            "patient_key": bytes(self.world.keys[row]).decode(),
            "model_digest": self.book.model_digest,
            "kind": kind, "direction": DIRECTIONS[kind], "state": "open",
            "opened_night": to_date(opened),
            "opened_day": to_date(state["last_value_day"][row] if k < 3 else self.night),
            "last_night": to_date(self.night), "resolved_night": None,
            "score": round(10.0 * rank + min(max(margin, 0.0), 9.99), 4),
        } | special | {
            "evidence": special["evidence"] | {
                "statistic": round(float(self.statistics()[row, k]), 6), "limit": round(limit, 6),
                "profile_night": _iso(int(state["profile_night"][row])),
                "segment": int(state["segment"][row]), "ready_day": _iso(int(state["ready_day"][row])),
                "false_alarms_per_patient_90d": self.charts.rules.levels().get(kind),
            },
        }  # fmt: skip

    def _drift(self, row: int, k: int, limit: float, margin: float) -> dict[str, Any]:
        state = self.world.state
        change = self.charts.of(int(state["profile_night"][row])).drift.describe(self._one(row), k == 0)
        side = 1.0 if k == 0 else -1.0
        effect, error = change.effect[0], change.effect_se[0]
        strong = (side * effect >= MOVED_SD) & (side * effect >= MOVED_Z * error)
        if not strong.any():
            strong[int(np.argmax(np.where(np.isfinite(effect), side * effect, -np.inf)))] = True
        state["moved"][row, k] = int(sum(1 << int(c) for c in np.flatnonzero(strong)))
        moved = [
            self._moved(row, c, effect[c], error[c]) for c in np.argsort(-np.nan_to_num(side * effect)) if strong[c]
        ]
        size = float(np.nanmean(np.abs(effect[strong])))
        onset = (int(change.onset[0]), int(change.onset_low[0]), int(change.onset_high[0]))
        odds = f"Evidence {margin + limit:.1f}, limit {limit:.1f} (log likelihood ratio)."
        return {
            "severity": _drift_severity(size, margin) if k == 0 else "low",
            "onset_day": to_date(onset[0]), "onset_low": to_date(onset[1]), "onset_high": to_date(onset[2]),
            "channels": {move.channel.name: _numbers(move) for move in moved},
            "explanation": words.drift(
                KINDS[k], onset, moved, n_days=int(state["n_values"][row]), since=int(state["segment_start"][row]),
                evidence=odds,
            ),
            "evidence": {"effect_sd": round(size, 6)},
        }  # fmt: skip

    def _moved(self, row: int, c: int, effect: float, error: float) -> Moved:
        state, sign = self.world.state, self.charts.signs[c]
        scale = float(state["scale"][row, c])
        information = max(float(state["lr_information"][row, c]), 1e-9)
        level = float(state["lr_score"][row, c]) / information
        share = min(float(oldest_candidate(state, row)[0][c]) / information, 0.9) if state["lr_frozen"][row] else 0.3
        usual = float(state["center"][row, c]) + sign * scale * (level - share * effect)
        return Moved(self.charts.channels[c], sign * float(effect), float(error), usual, usual + sign * scale * effect)

    def _spread(self, row: int) -> dict[str, Any]:
        ratio = float(np.exp(self.world.state["statistic"][row, 2]))
        return _undated(
            "moderate" if ratio >= 2.5 else "low", words.spread(ratio, int(self.world.state["ready_day"][row]))
        ) | {"evidence": {"variance_ratio": round(ratio, 6)}}

    def _adherence(self, row: int) -> dict[str, Any]:
        state = self.world.state
        last, rate = int(state["last_journal_day"][row]), float(state["adherence_rate"][row])
        silent = self.night - last
        text = words.adherence(silent, last, rate)
        return _undated("high" if silent >= 14 else "moderate", text) | {
            "onset_day": to_date(last + 1), "onset_low": to_date(last + 1), "onset_high": to_date(last + 1),
            "evidence": {"usual_rate": round(rate, 6), "silent_days": silent},
            "channels": {"adherence": {"usual_rate": round(rate, 4), "silent_days": silent}},
        }  # fmt: skip

    def _quality(self, row: int) -> dict[str, Any]:
        share = float(self.world.state["refused"][row])
        return _undated("low", words.quality(share)) | {"evidence": {"refused_share": round(share, 6)}}

    def _one(self, row: int) -> dict[str, Any]:
        return {name: array[row : row + 1].copy() for name, array in self.world.state.items() if name.startswith("lr_")}

    def _put(self, row: int, part: dict[str, Any]) -> None:
        for name, array in part.items():
            self.world.state[name][row] = array[0]


def _undated(severity: str, explanation: str) -> dict[str, Any]:
    none = {"onset_day": None, "onset_low": None, "onset_high": None}
    return {"severity": severity, "explanation": explanation, "channels": {}, "evidence": {}} | none


def _drift_severity(size_sd: float, margin: float) -> str:
    """Return how pressing a worsening is, from its size in SDs and how far past the limit it is."""
    if size_sd >= 2.0 and margin >= 8.0:
        return "urgent"
    if size_sd >= 1.5 or margin >= 8.0:
        return "high"
    return "low" if size_sd < 0.8 and margin < 2.0 else "moderate"


def _numbers(move: Moved) -> dict[str, float]:
    return {
        "effect_sd": round(move.effect_sd, 4), "effect_se": round(move.effect_se, 4),
        "baseline": round(move.usual, 6), "now": round(move.now, 6),
    }  # fmt: skip


def _bits(mask: int, n: int) -> Ints:
    chosen = [c for c in range(n) if mask >> c & 1]
    return np.array(chosen or list(range(n)), dtype=np.int64)


def _iso(day: int) -> str | None:
    return None if day == NEVER else to_date(day).isoformat()
