"""Where a patient's current baseline begins, and whether it is ready.

A long gap or a new device starts a new baseline on purpose. Two phones used in turns do not: a device
counts as new once it was used for several day values in a row.
"""

from __future__ import annotations

from dataclasses import dataclass

from affect_pipeline.monitoring.arrays import Ints, Texts
from affect_pipeline.monitoring.rules import Rules

NEVER = -(2**30)


@dataclass(frozen=True)
class Segment:
    """The stretch of days that the current baseline belongs to.

    Parameters
    ----------
    number : int
        0 for the first, one more for each new start.
    start : int
        Its first day with a value.
    first_row, n_values : int
        Where it begins in the patient's day values, and how many it has.
    device : str
        Its device; empty where none is known.
    ready_day : int
        First day that charts judge; `NEVER` while there is too little data.
    why : str
        Why it began: ``first``, ``gap``, ``device`` or ``lasting``.
    expected_day : int
        Earliest day on which charts can begin, if a journal comes every day from now on.
    """

    number: int
    start: int
    first_row: int
    n_values: int
    device: str
    ready_day: int
    why: str
    expected_day: int


def current_segment(days: Ints, devices: Texts, rules: Rules, restarts: tuple[int, ...] = ()) -> Segment:
    """Return the segment that a patient is in after their last day value.

    Parameters
    ----------
    days : ndarray of int, shape (n,)
        Days with a value, ascending; at least one.
    devices : ndarray of str, shape (n,)
        Device of each day; empty where it is not known.
    rules : Rules
        Lengths.
    restarts : tuple of int
        Days on which a new baseline starts because a change lasted.
    """
    number, first_row, why = 0, 0, "first"
    device, other, other_row, other_run = str(devices[0]), "", 0, 0
    pending = sorted(restarts)
    for row in range(len(days)):
        day, named = int(days[row]), str(devices[row])
        begins = ""
        if row > 0 and day - int(days[row - 1]) > rules.gap_days:
            begins = "gap"
        if pending and day >= pending[0]:
            pending.pop(0)
            begins = "lasting" if row > 0 else ""
        if begins:
            number, first_row, why = number + 1, row, begins
            device, other_run = named, 0
            continue
        if not named or named == device:
            other_run = 0 if named else other_run
            continue
        if not device:
            device = named
            continue
        other_row, other_run = (row, 1) if named != other or other_run == 0 else (other_row, other_run + 1)
        other = named
        if other_run >= rules.device_days:
            number, first_row, why = number + 1, other_row, "device"
            device, other_run = named, 0
    start = int(days[first_row])
    ready = _ready_day(days[first_row:], rules)
    n_values = len(days) - first_row
    missing = max(rules.baseline_min_days - n_values, 0)
    expected = max(start + rules.baseline_days, int(days[-1]) + missing + 1)
    return Segment(number, start, first_row, n_values, device, ready, why, expected)


def _ready_day(days: Ints, rules: Rules) -> int:
    """Return the first day with a value that has enough values in the baseline's length before it."""
    low = 0
    for row in range(len(days)):
        day = int(days[row])
        while days[low] < day - rules.baseline_days:
            low += 1
        if day >= int(days[0]) + rules.baseline_days and row - low >= rules.baseline_min_days:
            return day
    return NEVER
