from __future__ import annotations

from datetime import date

import pytest

from affect_pipeline.errors import QualityGateError
from affect_pipeline.quality.contract import LINES, NO_PROBLEM
from affect_pipeline.quality.suite import SuiteResult
from affect_pipeline.quality.verdicts import Judged, Verdict, check_gate, check_rows, count_reasons, judge

NIGHT = date(2026, 1, 5)


def result(**broken: set[str]) -> SuiteResult:
    return SuiteResult("1.0-test", {line.name: frozenset(broken.get(line.name, ())) for line in LINES})


def test_a_journal_is_accepted_warned_or_quarantined_by_what_it_broke() -> None:
    found = result(
        snr_at_least_12_db={"c"},
        snr_at_least_18_db={"b", "c"},
        clipping_at_most_5_percent={"c"},
        no_problem={"d"},
    )
    journals = [Judged("d", NIGHT, problem="truncated", scorable=False)]
    journals += [Judged(name, NIGHT) for name in "cba"]
    assert judge(journals, found) == [
        Verdict("a", "accepted"),
        Verdict("b", "warned", (), ("snr_at_least_18_db",)),
        Verdict("c", "quarantined", ("snr_at_least_12_db", "clipping_at_most_5_percent"), ("snr_at_least_18_db",)),
        Verdict("d", "quarantined", ("truncated",)),
    ]


def test_a_released_journal_passes_with_a_remark_if_there_is_anything_to_score() -> None:
    found = result(snr_at_least_12_db={"a"}, no_problem={"b"})
    journals = [
        Judged("a", NIGHT, released=True),
        Judged("b", NIGHT, problem="truncated", released=True, scorable=False),
        Judged("c", NIGHT, released=True),
    ]
    assert judge(journals, found) == [
        Verdict("a", "warned", (), ("released_by_a_person", "snr_at_least_12_db")),
        Verdict("b", "quarantined", ("truncated",)),
        Verdict("c", "accepted"),
    ]


def gate(
    n_good: int, n_bad: int, night: date = NIGHT, problem: str | None = None
) -> tuple[list[Judged], list[Verdict]]:
    journals = [
        Judged(f"{night}-{index}", night, problem if index < n_bad else None) for index in range(n_good + n_bad)
    ]
    reasons = (problem or "snr_at_least_12_db",)
    verdicts = [
        Verdict(journal.journal_id, "quarantined", reasons)
        if index < n_bad
        else Verdict(journal.journal_id, "accepted")
        for index, journal in enumerate(journals)
    ]
    return journals, verdicts


def test_a_night_that_mostly_fails_stops_the_run_and_says_why() -> None:
    with pytest.raises(
        QualityGateError, match=r"2026-01-05: 6 of 10 .* snr_at_least_12_db \(6\).*AFFECT_MAX_FAILED_SHARE"
    ):
        check_gate(*gate(4, 6), max_failed_share=0.5, min_journals=8)


@pytest.mark.parametrize(("n_good", "n_bad"), [(5, 5), (0, 7), (10, 0)])
def test_half_a_night_a_small_night_and_a_good_night_go_on(n_good: int, n_bad: int) -> None:
    check_gate(*gate(n_good, n_bad), max_failed_share=0.5, min_journals=8)


def test_each_night_of_a_backfill_is_judged_by_itself() -> None:
    good_journals, good_verdicts = gate(90, 0)
    bad_journals, bad_verdicts = gate(0, 10, night=date(2026, 1, 6))
    with pytest.raises(QualityGateError, match="2026-01-06"):
        check_gate([*good_journals, *bad_journals], [*good_verdicts, *bad_verdicts], 0.5, 8)


def test_patients_who_withdraw_consent_do_not_stop_a_night() -> None:
    check_gate(*gate(4, 20, problem="consent_withdrawn"), max_failed_share=0.5, min_journals=8)


def test_reasons_are_counted_the_commonest_first() -> None:
    verdicts = [Verdict(str(i), "quarantined", ("b",)) for i in range(2)] + [Verdict("x", "quarantined", ("a",))]
    verdicts += [Verdict("w", "warned", (), ("c",))]
    assert list(count_reasons(verdicts).items()) == [("b", 2), ("a", 1)]


def test_only_broken_lines_are_written_down() -> None:
    rows = check_rows({"a": {"snr_db": 9.0}, "b": {}}, result(snr_at_least_12_db={"a"}, no_problem={"b"}))
    assert [(row["journal_id"], row["expectation"], row["value"], row["verdict"]) for row in rows] == [
        ("b", NO_PROBLEM, None, "failed"),
        ("a", "snr_at_least_12_db", 9.0, "failed"),
    ]
