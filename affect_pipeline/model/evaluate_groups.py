"""Figures by sex, age band and language, where a corpus tells them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from affect_pipeline.model.corpora import Recording
from affect_pipeline.model.evaluate import Figure, Judged, figures

GROUPS: dict[str, Callable[[Recording], str | None]] = {
    "sex": lambda recording: recording.sex,
    "age": lambda recording: recording.age_band,
    "language": lambda recording: recording.language if recording.language != "und" else None,
}
"""What recordings are grouped by, and what a recording's group is called; None if that is not known."""


@dataclass(frozen=True)
class GroupFigure:
    """One figure over the recordings of a corpus that belong to a group.

    Parameters
    ----------
    by, group : str
        One of `GROUPS`, and the group's name, for instance ``age`` and ``30-39``.
    figure : Figure
        As over the whole corpus.
    """

    by: str
    group: str
    figure: Figure

    def as_json(self) -> dict[str, Any]:
        """Return plain values, rounded to four digits."""
        plain = {k: round(v, 4) if isinstance(v, float) else v for k, v in asdict(self.figure).items()}
        return {"by": self.by, "group": self.group, **plain}


def group_figures(judged: Judged, system: str) -> list[GroupFigure]:
    """Return a figure for each group of a corpus and each task that both answers of were heard in the group.

    Parameters
    ----------
    judged : Judged
        Logits of one corpus.
    system : str
        Word of the table for what was tested.
    """
    found = []
    for by, name_of in GROUPS.items():
        names = [name_of(recording) for recording in judged.recordings]
        for name in sorted({name for name in names if name is not None}):
            mine = [i for i, other in enumerate(names) if other == name]
            rows = figures([judged.recordings[i] for i in mine], judged.logits[mine], system, judged.protocol)
            found += [GroupFigure(by, name, row) for row in rows]
    return found


def sort_groups(rows: Sequence[GroupFigure]) -> tuple[GroupFigure, ...]:
    """Return group figures in the order of the table: by kind of group, corpus, question, group."""
    order = list(GROUPS)
    return tuple(sorted(rows, key=lambda g: (order.index(g.by), g.figure.test, g.figure.task, g.group)))
