"""From broken expectations to what happens with each journal."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Literal

from affect_pipeline.errors import QualityGateError
from affect_pipeline.quality.contract import LINES, NO_PROBLEM, Expected
from affect_pipeline.quality.suite import SuiteResult

Status = Literal["accepted", "warned", "quarantined"]

RELEASED = "released_by_a_person"
PATIENTS_CHOICE = "consent_withdrawn"
"""A reason that says nothing about microphones: it never stops a night."""


@dataclass(frozen=True)
class Judged:
    """What is known of a journal when it is judged.

    Parameters
    ----------
    journal_id : str
        The journal.
    night : date
        Night it arrived.
    problem : str or None
        What was wrong with the file or its sidecar.
    released : bool
        Whether a person let it out of quarantine.
    scorable : bool
        Whether there is prepared audio of it.
    """

    journal_id: str
    night: date
    problem: str | None = None
    released: bool = False
    scorable: bool = True


@dataclass(frozen=True)
class Verdict:
    """What happens with a journal.

    Parameters
    ----------
    journal_id : str
        The journal.
    status : str
        ``accepted``, ``warned`` (scored all the same) or ``quarantined`` (not scored, kept).
    failed, warned : tuple of str
        Names of the expectations it failed or was warned by. A problem stands under its own name,
        such as ``truncated``.
    """

    journal_id: str
    status: Status
    failed: tuple[str, ...] = field(default=())
    warned: tuple[str, ...] = field(default=())


def judge(journals: Iterable[Judged], result: SuiteResult, lines: tuple[Expected, ...] = LINES) -> list[Verdict]:
    """Judge journals by what they broke, ordered by journal.

    Parameters
    ----------
    journals : iterable of Judged
        The journals.
    result : SuiteResult
        What the suite found.
    lines : tuple of Expected
        The contract.

    Returns
    -------
    list of Verdict
        A journal that a person released passes with all it broke as warnings, if there is any
        audio to score.
    """
    return [_judge_one(journal, result, lines) for journal in sorted(journals, key=lambda item: item.journal_id)]


def check_gate(
    journals: Iterable[Judged], verdicts: Iterable[Verdict], max_failed_share: float, min_journals: int
) -> None:
    """Stop a run in which too large a share of a night failed.

    One bad recording is a patient's; half a night of them is a broken microphone update.

    Parameters
    ----------
    journals : iterable of Judged
        All journals of the run.
    verdicts : iterable of Verdict
        Their verdicts.
    max_failed_share : float
        Share of a night's journals that may be in quarantine.
    min_journals : int
        Nights with fewer journals are never stopped.

    Raises
    ------
    QualityGateError
        Naming the nights, their shares and their commonest reasons.
    """
    by_id = {verdict.journal_id: verdict for verdict in verdicts}
    nights: dict[date, list[Verdict]] = {}
    for journal in journals:
        if journal.problem != PATIENTS_CHOICE:
            nights.setdefault(journal.night, []).append(by_id[journal.journal_id])
    bad = [_complaint(night, nights[night], max_failed_share, min_journals) for night in sorted(nights)]
    if complaints := [complaint for complaint in bad if complaint]:
        raise QualityGateError(
            f"{'; '.join(complaints)}. At most {max_failed_share:.0%} may fail: look at the Data Docs for what "
            "they have in common. If the recordings are right after all, raise AFFECT_MAX_FAILED_SHARE and run the "
            "night again."
        )


def count_reasons(verdicts: Iterable[Verdict]) -> dict[str, int]:
    """Count the reasons for quarantine, the commonest first."""
    counts = Counter(reason for verdict in verdicts if verdict.status == "quarantined" for reason in verdict.failed)
    return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))


def _judge_one(journal: Judged, result: SuiteResult, lines: tuple[Expected, ...]) -> Verdict:
    broken = [line for line in lines if journal.journal_id in result.broken_by[line.name]]
    failed = tuple(_reason(line, journal) for line in broken if line.level == "fail")
    warned = tuple(line.name for line in broken if line.level == "warn")
    if failed and journal.released and journal.scorable:
        return Verdict(journal.journal_id, "warned", (), (RELEASED, *failed, *warned))
    status: Status = "quarantined" if failed else "warned" if warned else "accepted"
    return Verdict(journal.journal_id, status, failed, warned)


def _reason(line: Expected, journal: Judged) -> str:
    return journal.problem or line.name if line.name == NO_PROBLEM else line.name


def _complaint(night: date, verdicts: list[Verdict], max_share: float, min_journals: int) -> str | None:
    n_failed = sum(verdict.status == "quarantined" for verdict in verdicts)
    if len(verdicts) < min_journals or n_failed <= max_share * len(verdicts):
        return None
    reasons = ", ".join(f"{name} ({count})" for name, count in list(count_reasons(verdicts).items())[:3])
    return f"night {night}: {n_failed} of {len(verdicts)} journals failed their quality checks: {reasons}"


def check_rows(
    values: Mapping[str, Mapping[str, float | None]], result: SuiteResult, lines: tuple[Expected, ...] = LINES
) -> list[dict[str, object]]:
    """Return one row for each line of the contract that a journal broke.

    What was kept is not written down: it is all the rest, and a hundred times as much.

    Parameters
    ----------
    values : mapping
        Measured values: journal_id -> metric -> value.
    result : SuiteResult
        What the suite found.
    lines : tuple of Expected
        The contract.

    Returns
    -------
    list of dict
        Rows of ``quality_checks``, ordered.
    """
    return [
        {
            "journal_id": journal_id,
            "suite_version": result.version,
            "expectation": line.name,
            "metric": line.metric,
            "value": None if line.name == NO_PROBLEM else values[journal_id][line.metric],
            "verdict": "failed" if line.level == "fail" else "warned",
        }
        for line in lines
        for journal_id in sorted(result.broken_by[line.name])
    ]
