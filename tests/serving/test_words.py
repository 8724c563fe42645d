"""Numbers in plain words."""

from __future__ import annotations

import doctest
from datetime import UTC, date, datetime
from types import ModuleType

import pytest

from affect_pipeline.cli import report
from affect_pipeline.quality.contract import LINES, NO_PROBLEM
from affect_pipeline.serving import words


@pytest.mark.parametrize("module", [words, report], ids=lambda module: module.__name__)
def test_the_examples_in_the_docs_hold(module: ModuleType) -> None:
    failed, tried = doctest.testmod(module)

    assert tried > 0
    assert failed == 0


def test_times_are_those_of_the_patients_clock() -> None:
    moment = datetime(2026, 3, 29, 0, 30, tzinfo=UTC)

    assert words.local_time(moment, "America/New_York") == "28 Mar 2026, 20:30 (America/New_York)"
    assert words.local_time(moment, "Europe/Berlin") == "29 Mar 2026, 01:30 (Europe/Berlin)"
    assert words.local_time(moment, None).endswith("(UTC)")
    assert words.local_time(moment, "No/Where").endswith("(UTC)")
    assert words.local_time(None, "UTC") == words.NONE


def test_every_line_of_the_quality_contract_has_words() -> None:
    names = {line.name for line in LINES} - {NO_PROBLEM}

    assert names <= set(words.REASONS)


def test_an_unknown_reason_is_still_readable() -> None:
    assert words.reason_in_words("wind_on_the_microphone") == "wind on the microphone"


def test_old_days_are_dates_and_new_ones_are_counted() -> None:
    today = date(2026, 4, 1)

    assert words.days_ago(date(2026, 4, 1), today) == "today"
    assert words.days_ago(date(2026, 3, 20), today) == "12 days ago"
    assert words.days_ago(date(2025, 3, 20), today) == "on 20 Mar 2025"
