"""The nights that one run works on."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta


@dataclass(frozen=True, order=True)
class Nights:
    """An inclusive range of nights; a nightly run has one, a backfill has many.

    Iterating yields the dates in order, ``len`` counts them, ``in`` asks for one.

    Parameters
    ----------
    first, last : datetime.date
        The ends of the range, both of them in it.

    Raises
    ------
    ValueError
        If the range ends before it begins.

    Examples
    --------
    >>> Nights.parse("2026-01-05_2026-01-07").name
    '2026-01-05_2026-01-07'
    >>> Nights.one(date(2026, 1, 5)).name
    '2026-01-05'
    """

    first: date
    last: date

    def __post_init__(self) -> None:
        if self.last < self.first:
            raise ValueError(f"nights end on {self.last}, before they begin on {self.first}")

    @classmethod
    def one(cls, night: date) -> Nights:
        """Return the range that holds a single night."""
        return cls(night, night)

    @classmethod
    def parse(cls, name: str) -> Nights:
        """Read a range from its name.

        Parameters
        ----------
        name : str
            ``2026-01-05`` for one night, or ``2026-01-05_2026-02-20``.

        Raises
        ------
        ValueError
            If the text is neither.
        """
        first, _, last = name.partition("_")
        try:
            return cls(date.fromisoformat(first), date.fromisoformat(last or first))
        except ValueError as error:
            raise ValueError(
                f"{name!r} is not a range of nights: write 2026-01-05 or 2026-01-05_2026-02-20 ({error})"
            ) from None

    @property
    def name(self) -> str:
        """The name of the range, as `parse` reads it; also the name of the run's work folder."""
        return f"{self.first}" if self.first == self.last else f"{self.first}_{self.last}"

    def __iter__(self) -> Iterator[date]:
        for offset in range(len(self)):
            yield self.first + timedelta(days=offset)

    def __len__(self) -> int:
        return (self.last - self.first).days + 1

    def __contains__(self, night: object) -> bool:
        return isinstance(night, date) and self.first <= night <= self.last

    def __str__(self) -> str:
        return self.name
