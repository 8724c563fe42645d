"""Reading answers that anybody may have sent."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from affect_pipeline.errors import QuestionnaireError
from affect_pipeline.journals.questionnaires import (
    Answers,
    Arrival,
    QuestionnaireRow,
    check_answers,
    read_questionnaire,
)

NIGHT = date(2026, 1, 5)
ARRIVAL = Arrival("d" * 32, "a" * 32, NIGHT, "file")
ITEMS = [1, 2, 3, 0, 1, 2, 3, 0, 0]
GOOD = {"instrument": "PHQ-9", "items": ITEMS, "answered_at": "2026-01-05T23:30:00+01:00"}


def read(arrival: Arrival = ARRIVAL, consent: object = True, **changes: Any) -> QuestionnaireRow | None:
    return read_questionnaire(json.dumps({"questionnaire": GOOD | changes, "consent": consent}).encode(), arrival)


def test_answers_are_kept_with_their_sum_and_the_day_where_the_patient_was() -> None:
    row = read()

    assert row is not None
    assert (row.problem, row.instrument, row.items, row.total, row.item_9) == (None, "PHQ-9", tuple(ITEMS), 12, 0)
    assert (row.answered_at, row.local_day) == (datetime(2026, 1, 5, 22, 30, tzinfo=UTC), NIGHT)
    assert not row.self_harm


def test_a_phq_8_has_no_ninth_question() -> None:
    row = read(instrument="phq 8", items=ITEMS[:8], total=12)

    assert row is not None
    assert (row.problem, row.instrument, row.item_9) == (None, "PHQ-8", None)


def test_a_sidecar_may_leave_out_when_it_was_answered() -> None:
    content = {
        "recorded_at": "2026-01-04T08:00:00+01:00",
        "consent": True,
        "questionnaire": GOOD | {"answered_at": None},
    }

    row = read_questionnaire(json.dumps(content).encode(), ARRIVAL)

    assert row is not None
    assert (row.problem, row.local_day) == (None, date(2026, 1, 4))


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"instrument": "GAD-7"}, "instrument_unknown"),
        ({"instrument": None}, "instrument_unknown"),
        ({"items": ITEMS[:8]}, "items_malformed"),
        ({"items": [*ITEMS[:8], None]}, "items_malformed"),
        ({"items": [*ITEMS[:8], 4]}, "items_malformed"),
        ({"items": [*ITEMS[:8], -1]}, "items_malformed"),
        ({"items": [*ITEMS[:8], True]}, "items_malformed"),
        ({"items": [*ITEMS[:8], 1.0]}, "items_malformed"),
        ({"items": "123012300"}, "items_malformed"),
        ({"total": 13}, "total_mismatch"),
        ({"total": "12"}, "total_mismatch"),
        ({"answered_at": "yesterday"}, "questionnaire_malformed"),
        ({"answered_at": "1970-01-01T00:00:00Z"}, "questionnaire_malformed"),
        ({"answered_at": None}, "questionnaire_malformed"),
        ({"answered_at": "2026-01-07T12:00:00Z"}, "answered_in_future"),
    ],
)
def test_what_makes_no_sense_is_refused_with_a_reason(changes: dict[str, Any], problem: str) -> None:
    row = read(**changes)

    assert row is not None
    assert (row.problem, row.items, row.total, row.questionnaire_id, row.local_day) == (
        problem,
        None,
        None,
        None,
        NIGHT,
    )
    assert row.problem_detail


def test_thoughts_of_self_harm_are_seen_though_the_total_is_wrong() -> None:
    row = read(items=[*ITEMS[:8], 2], total=3)

    assert row is not None
    assert (row.problem, row.item_9, row.self_harm) == ("total_mismatch", 2, True)


@pytest.mark.parametrize(
    ("consent", "problem"), [(False, "consent_withdrawn"), (None, "consent_missing"), ("yes", "consent_missing")]
)
def test_without_consent_no_answer_is_kept(consent: object, problem: str) -> None:
    row = read(consent=consent, items=[3] * 9)

    assert row is not None
    assert (row.problem, row.items, row.total, row.item_9, row.self_harm) == (problem, None, None, None, False)


def test_what_holds_no_questionnaire_is_none_of_ours() -> None:
    assert read_questionnaire(b'{"recorded_at": "2026-01-05T08:00:00Z", "consent": true}', ARRIVAL) is None


def test_a_file_that_is_not_json_is_refused_if_it_came_alone() -> None:
    alone = read_questionnaire(b"{not json", ARRIVAL)

    assert alone is not None
    assert alone.problem == "questionnaire_malformed"
    assert read_questionnaire(b"{not json", Arrival("d" * 32, "a" * 32, NIGHT, "journal", "f" * 64)) is None


@given(
    st.binary(max_size=200)
    | st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda inner: (
            st.lists(inner, max_size=10)
            | st.dictionaries(st.sampled_from(["items", "instrument", "total", "x"]), inner)
        ),
        max_leaves=12,
    )
)
def test_whatever_is_sent_is_answered_with_a_row_and_never_quoted(sent: object) -> None:
    content = sent if isinstance(sent, bytes) else json.dumps({"questionnaire": sent, "consent": True}).encode()

    row = read_questionnaire(content, ARRIVAL)

    assert row is None or row.problem


def test_the_identity_of_answers_is_what_they_say_and_when() -> None:
    at = datetime(2026, 1, 5, 8, tzinfo=UTC)
    one = Answers("PHQ-9", tuple(ITEMS), at, NIGHT)
    elsewhere = Answers("PHQ-9", tuple(ITEMS), at.astimezone(timezone(timedelta(hours=9))), date(2026, 1, 6))

    assert one.questionnaire_id == elsewhere.questionnaire_id
    assert one.questionnaire_id != Answers("PHQ-9", (0, *ITEMS[1:]), at, NIGHT).questionnaire_id
    assert one.questionnaire_id != Answers("PHQ-9", tuple(ITEMS), at + timedelta(seconds=1), NIGHT).questionnaire_id


def test_answers_of_another_system_pass_the_same_checks() -> None:
    at = datetime(2026, 1, 5, 8, tzinfo=UTC)

    assert check_answers("PHQ9", ITEMS, at, NIGHT, night=NIGHT, total=12).total == 12
    with pytest.raises(QuestionnaireError, match="total_mismatch"):
        check_answers("PHQ9", ITEMS, at, NIGHT, night=NIGHT, total=11)
