"""Scored journals as arrays, and the day values made from them."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np

from affect_pipeline.monitoring.arrays import Bools, Floats, Ints, Texts


@dataclass(frozen=True)
class Journals:
    """Journals, one row each, ordered by (patient, local day, journal id) within what a source returns.

    Parameters
    ----------
    journal_id, patient : ndarray of bytes, shape (n,)
        Identity of the recording, and patient key, in ASCII.
    night, day : ndarray of int, shape (n,)
        Night of arrival and local day of the recording, as days since 1970-01-01.
    device : ndarray of str, shape (n,)
        Device; empty where it is not known.
    accepted : ndarray of bool, shape (n,)
        False for journals in quarantine: they count as recorded, not as values.
    values, se : ndarray, shape (n, n_channels)
        Value of each channel and its standard error; NaN where there is none.
    """

    journal_id: Texts
    patient: Texts
    night: Ints
    day: Ints
    device: Texts
    accepted: Bools
    values: Floats
    se: Floats

    def __len__(self) -> int:
        return len(self.night)

    def rows(self, rows: Bools | Ints | slice) -> Journals:
        """Return some of the journals."""
        return Journals(*(getattr(self, field.name)[rows] for field in fields(self)))

    @classmethod
    def empty(cls, n_channels: int) -> Journals:
        """Return no journals."""
        none = np.zeros(0, dtype=np.int32)
        values = np.zeros((0, n_channels))
        text = np.zeros(0, "S64")
        return cls(text, text, none, none, np.zeros(0, "U1"), np.zeros(0, bool), values, values)

    @classmethod
    def concatenate(cls, parts: list[Journals]) -> Journals:
        """Return several as one."""
        return cls(*(np.concatenate([getattr(part, field.name) for part in parts]) for field in fields(cls)))


@dataclass(frozen=True)
class DayValues:
    """One row a patient and local day, ordered by both.

    Parameters
    ----------
    patient : ndarray of bytes, shape (n,)
        Patient keys.
    day : ndarray of int, shape (n,)
        Local day.
    device : ndarray of str, shape (n,)
        Device of the first journal of the day that names one.
    n_journals : ndarray of int, shape (n,)
        Journals the values were made from.
    values, se : ndarray, shape (n, n_channels)
        Inverse-variance weighted mean, and its standard error (NaN where no journal has one).
    """

    patient: Texts
    day: Ints
    device: Texts
    n_journals: Ints
    values: Floats
    se: Floats

    def __len__(self) -> int:
        return len(self.day)

    def rows(self, rows: Bools | Ints | slice) -> DayValues:
        """Return some of the rows."""
        return DayValues(*(getattr(self, field.name)[rows] for field in fields(self)))


def day_values(journals: Journals) -> DayValues:
    """Return one value a patient, local day and channel.

    Journals are weighted by the inverse of their variance; one without a standard error gets the mean
    weight of the day's others, or an equal one.

    Parameters
    ----------
    journals : Journals
        In any order of patients and days; those in quarantine are left out.
    """
    kept = journals.rows(journals.accepted & np.isfinite(journals.values).any(axis=1))
    n_channels = journals.values.shape[1]
    if len(kept) == 0:
        none = np.zeros(0, dtype=np.int32)
        empty = np.zeros((0, n_channels))
        return DayValues(np.zeros(0, "S32"), none, np.zeros(0, "U1"), none, empty, empty)
    order = np.lexsort((kept.day, kept.patient))  # stable: journals of a day stay in their given order
    kept = kept.rows(order)
    new = np.ones(len(kept), dtype=bool)
    new[1:] = (kept.patient[1:] != kept.patient[:-1]) | (kept.day[1:] != kept.day[:-1])
    starts = np.flatnonzero(new)
    group = np.cumsum(new) - 1
    values, se = _weighted(kept.values, kept.se, starts, group)
    named = np.where(kept.device != "", np.arange(len(kept)), len(kept))
    first = np.minimum.reduceat(named, starts)
    device = np.where(first < len(kept), kept.device[np.minimum(first, len(kept) - 1)], "")
    counts = np.diff(np.append(starts, len(kept))).astype(np.int32)
    return DayValues(kept.patient[starts], kept.day[starts].astype(np.int32), device, counts, values, se)


def _weighted(values: Floats, se: Floats, starts: Ints, group: Ints) -> tuple[Floats, Floats]:
    seen = np.isfinite(values)
    known = seen & np.isfinite(se) & (se > 0)
    weight = np.where(known, 1.0 / np.where(known, se, 1.0) ** 2, 0.0)
    total, number = np.add.reduceat(weight, starts), np.add.reduceat(known.astype(float), starts)
    usual = np.where(number > 0, total / np.maximum(number, 1), 1.0)
    weight = np.where(seen & ~known, usual[group], weight)
    sums = np.add.reduceat(weight, starts)
    mean = np.add.reduceat(weight * np.where(seen, values, 0.0), starts) / np.where(sums > 0, sums, np.nan)
    error = np.where(number > 0, 1.0 / np.sqrt(np.where(sums > 0, sums, np.nan)), np.nan)
    return mean, error
