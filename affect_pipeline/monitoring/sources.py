"""Where the machine gets journals from: memory, or a warehouse behind the same three questions."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from affect_pipeline.monitoring.arrays import Ints, Texts
from affect_pipeline.monitoring.journals import Journals


class Source(Protocol):
    """Journals as they were known on a night; in the order of (patient, day, journal id)."""

    def due(self, night: int) -> Journals:
        """Return what is new on a night: what arrived, but for tomorrow's date, and yesterday's of that kind.

        A phone east of the clinic may record on a local day that the night has not reached yet.
        """
        ...

    def history(self, patients: Texts, night: int) -> Journals:
        """Return all that had arrived from some patients by a night, up to its date."""
        ...

    def cohort(self, first_day: int, night: int, min_days: int, n_patients: int) -> Journals:
        """Return the same, from `first_day` on, of the first patients (by key) with values on enough days."""
        ...


@dataclass
class MemorySource:
    """Journals held in memory.

    Parameters
    ----------
    journals : Journals
        In any order.
    """

    journals: Journals
    _by_night: dict[int, Ints] = field(default_factory=dict, init=False)

    def __post_init__(self) -> None:
        order = np.lexsort((self.journals.journal_id, self.journals.day, self.journals.patient))
        self.journals = self.journals.rows(order)
        due = np.maximum(self.journals.night, self.journals.day)
        by_due = np.argsort(due, kind="stable")
        nights, starts = np.unique(due[by_due], return_index=True)
        ends = np.append(starts[1:], len(by_due))
        for night, start, end in zip(nights, starts, ends, strict=False):
            self._by_night[int(night)] = np.sort(by_due[start:end])

    def due(self, night: int) -> Journals:
        """Return what is new on a night."""
        return self.journals.rows(self._by_night.get(night, np.zeros(0, np.int64)))

    def history(self, patients: Texts, night: int) -> Journals:
        """Return all that had arrived from some patients by a night, up to its date."""
        wanted = np.sort(np.asarray(patients, dtype="S32"))
        low = np.searchsorted(self.journals.patient, wanted, side="left")
        high = np.searchsorted(self.journals.patient, wanted, side="right")
        rows = np.concatenate([np.arange(a, b) for a, b in zip(low, high, strict=True)] or [np.zeros(0, np.int64)])
        found = self.journals.rows(rows)
        return found.rows((found.night <= night) & (found.day <= night))

    def cohort(self, first_day: int, night: int, min_days: int, n_patients: int) -> Journals:
        """Return the journals from `first_day` on of the first patients with values on enough days."""
        known = (self.journals.night <= night) & (self.journals.day <= night) & (self.journals.day >= first_day)
        found = self.journals.rows(known & self.journals.accepted)
        if len(found) == 0:
            return found
        new_day = np.ones(len(found), dtype=bool)
        new_day[1:] = (found.patient[1:] != found.patient[:-1]) | (found.day[1:] != found.day[:-1])
        keys, counts = np.unique(found.patient[new_day], return_counts=True)
        chosen = keys[counts >= min_days][:n_patients]
        return found.rows(np.isin(found.patient, chosen))

    def nights(self) -> tuple[int, int]:
        """Return the first and the last night on which anything is due."""
        return min(self._by_night), max(self._by_night)
