"""Nights of many patients: states, replays and what may not depend on either."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from affect_pipeline.monitoring.channels import VOICE
from affect_pipeline.monitoring.engine import Engine
from affect_pipeline.monitoring.journals import Journals, day_values
from affect_pipeline.monitoring.segments import NEVER, current_segment
from affect_pipeline.monitoring.sources import MemorySource
from affect_pipeline.monitoring.world import LEARNING, WATCHED, World
from tests.monitoring.made import DAY_0, RULES, SIGNS, engine, events, journals, key, rows, run, steady, worse


def same(one: Engine, other: Engine) -> None:
    """Assert that two engines know the same, to the last bit."""
    np.testing.assert_array_equal(one.world.keys, other.world.keys)
    for name, array in one.world.state.items():
        np.testing.assert_array_equal(array, other.world.state[name], err_msg=name)
    assert one.book.rows == other.book.rows


def late(values: np.ndarray, delays: np.ndarray) -> Journals:
    """Return journals of which each arrives some nights after its day."""
    patient, day = np.nonzero(np.isfinite(values).any(axis=2))
    return rows(patient, DAY_0 + day, values[patient, day], night=DAY_0 + day + delays[patient, day])


def test_a_patient_who_gets_worse_is_alerted_soon_and_one_who_does_not_is_not() -> None:
    values = worse(steady(4, 60), 0, 40, None, 2.0)

    found = events(run(engine(), journals(values), 60))

    worsening = [event for event in found if event[2] == "worsening" and event[1] == "opened"]
    assert len(worsening) == 1
    assert 40 <= worsening[0][0] <= 47


def test_going_on_from_packed_state_every_night_is_the_same_as_never_stopping() -> None:
    source = MemorySource(journals(worse(steady(6, 45), 1, 33, None, 1.5)))
    whole = engine()
    run(whole, source, 45)

    stopped = engine()
    for night in range(45):
        run(stopped, source, night + 1, first=night)
        stopped.world = World.from_packed(len(VOICE), stopped.world.keys, stopped.world.packed())

    same(stopped, whole)


def test_going_on_from_state_is_the_same_as_replaying_from_the_journals() -> None:
    source = MemorySource(journals(steady(5, 50)))
    stepwise, replayed = engine(), engine()
    run(stepwise, source, 50)

    # everything arrives on the last night: each patient is replayed once, from the first day
    at_once = replace(source.journals, night=np.full(len(source.journals), DAY_0 + 49, np.int32))
    run(replayed, at_once, 50)

    assert (stepwise.world.state["phase"] == WATCHED).sum() >= 3
    for name in stepwise.world.state:
        if name not in ("refused", "profile_night") and not name.startswith(("adherence", "opened", "updated")):
            np.testing.assert_array_equal(replayed.world.state[name], stepwise.world.state[name], err_msg=name)


@settings(max_examples=4, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 4))
def test_a_patient_s_state_does_not_depend_on_who_else_is_there(seed: int, n_others: int) -> None:
    values = worse(steady(1 + n_others, 36, seed=seed), 0, 30, None, 1.0)
    delays = np.random.default_rng(seed).choice([0, 0, 0, 1, 3], values.shape[:2])
    together, alone = engine(), engine()

    run(together, late(values, delays), 40)
    run(alone, late(values[:1], delays[:1]), 40)

    row = together.world.find(np.array([key(0)], "S32"))[0]
    for name, array in alone.world.state.items():
        np.testing.assert_array_equal(together.world.state[name][row], array[0], err_msg=name)


@settings(max_examples=4, deadline=None)
@given(st.integers(0, 10_000))
def test_journals_in_any_order_leave_the_same(seed: int) -> None:
    values = steady(3, 34, seed=seed)
    delays = np.random.default_rng(seed).choice([0, 0, 0, 2], values.shape[:2])
    made = late(values, delays)
    shuffled = made.rows(np.random.default_rng(seed + 1).permutation(len(made)))
    one, other = engine(), engine()

    run(one, made, 38)
    run(other, shuffled, 38)

    same(one, other)


def test_a_late_journal_changes_the_present_as_if_it_had_come_in_time_but_not_the_past() -> None:
    values = steady(1, 50, missing=0.0)
    on_time = journals(values)
    night = on_time.night.copy()
    night[35] = DAY_0 + 42
    late_one = replace(on_time, night=night)
    punctual, tardy = engine(), engine()

    run(punctual, on_time, 50)
    outputs = run(tardy, late_one, 50)

    for name in ("lr_score", "lr_information", "lr_slot_score", "n_values", "recent", "adherence_sum"):
        np.testing.assert_array_equal(tardy.world.state[name], punctual.world.state[name], err_msg=name)
    rewritten = [
        day for output in outputs if output.night == DAY_0 + 42 for part in output.chart_days for day in part.day
    ]
    assert min(rewritten) <= DAY_0 + 35


def test_too_little_data_has_a_reason_and_a_day_on_which_it_may_end() -> None:
    outputs = run(engine(), journals(steady(1, 10, missing=0.5)), 10)

    row = [row for output in outputs for row in output.baselines.values()][-1]

    assert row["state"] == "too_little_data"
    assert "of at least 14 day values" in row["reason"]
    assert row["ready_on"] is not None
    assert row["ready_on"] > row["last_day"]


def test_a_baseline_of_28_days_with_fewer_than_14_values_waits() -> None:
    sparse = np.full((1, 45, len(VOICE)), np.nan)
    sparse[0, ::4] = 0.1
    made = engine()

    run(made, journals(sparse), 45)

    assert made.world.state["phase"][0] == LEARNING


def test_a_long_gap_starts_a_new_baseline() -> None:
    values = steady(1, 110, missing=0.0)
    values[0, 40:75] = np.nan
    made = engine()
    source = MemorySource(journals(values))

    run(made, source, 80)
    after_gap = (int(made.world.state["phase"][0]), int(made.world.state["segment"][0]))
    run(made, source, 110, first=80)

    assert after_gap == (LEARNING, 1)
    assert made.world.state["phase"][0] == WATCHED
    assert made.world.state["ready_day"][0] == DAY_0 + 75 + RULES.baseline_days


def test_three_months_of_silence_raise_an_adherence_alert_that_a_return_resolves() -> None:
    values = steady(1, 150, missing=0.1)
    values[0, 45:136] = np.nan

    found = events(run(engine(), journals(values), 150), "adherence")

    assert [what for _, what, _ in found if what != "updated"][:2] == ["opened", "resolved"]
    assert 47 <= found[0][0] <= 60
    assert found[-1][0] >= 136


def test_a_new_phone_starts_a_new_baseline_but_one_day_with_another_does_not() -> None:
    values = steady(1, 50, missing=0.0)
    borrowed, bought = engine(), engine()
    one_day = journals(values)
    one_day.device[40] = "tablet"
    for_good = journals(values)
    for_good.device[40:] = "tablet"

    run(borrowed, one_day, 50)
    run(bought, for_good, 50)

    assert borrowed.world.state["segment"][0] == 0
    assert borrowed.world.state["phase"][0] == WATCHED
    assert bought.world.state["segment"][0] == 1
    assert bought.world.state["segment_start"][0] == DAY_0 + 40


def test_two_phones_in_turns_never_start_a_new_baseline() -> None:
    days = np.arange(60)
    devices = np.where(days % 2 == 0, "phone", "tablet")

    segment = current_segment(days, devices, RULES)

    assert segment.number == 0
    assert segment.ready_day == 28


def test_forty_journals_of_one_day_are_one_value_weighted_by_their_uncertainty() -> None:
    values = np.full((40, len(VOICE)), 1.0)
    values[0] = 5.0
    made = rows(np.zeros(40, int), np.full(40, DAY_0), values)
    sure = replace(made, se=np.where(np.arange(40)[:, None] == 0, 0.01, 1.0) * np.ones((40, len(VOICE))))

    plain, weighted = day_values(made), day_values(sure)

    assert len(plain) == len(weighted) == 1
    assert plain.n_journals[0] == 40
    assert plain.values[0, 0] == pytest.approx((5.0 + 39) / 40)
    assert weighted.values[0, 0] == pytest.approx(5.0, abs=0.05)
    assert weighted.se[0, 0] < 0.01


def test_a_patient_in_two_time_zones_has_one_value_a_local_day_and_none_is_lost() -> None:
    # flying east: the local day is a day ahead of the night for a while, then the two agree again
    values = steady(1, 40, missing=0.0)
    made = journals(values)
    ahead = made.day >= DAY_0 + 30
    made = replace(made, night=np.where(ahead, made.day - 1, made.day).astype(np.int32))
    one = engine()

    outputs = run(one, made, 40)

    assert one.world.state["n_values"][0] == 40
    days = {int(day) for output in outputs for part in output.day_values for day in part.day}
    assert days == set(range(DAY_0, DAY_0 + 40))
    for output in outputs:
        assert all(day <= output.night for part in output.day_values for day in part.day)


def test_a_constant_score_raises_no_alert() -> None:
    constant = np.full((2, 80, len(VOICE)), 0.25)

    assert events(run(engine(), journals(constant), 80)) == []


def test_one_extreme_outlier_raises_no_alert() -> None:
    values = steady(3, 70)
    seen = np.flatnonzero(np.isfinite(values[0, 45:, 0])) + 45
    values[0, seen[0]] = 1e9 * SIGNS

    assert events(run(engine(), journals(values), 70), "worsening") == []


def test_withdrawn_consent_ends_watching_and_resolves_what_is_open() -> None:
    values = worse(steady(2, 60, missing=0.0), 0, 35, None, 2.5)
    made = engine()
    made.withdrawn = {key(0): DAY_0 + 50}

    outputs = run(made, journals(values), 60)

    mine = [e for output in outputs for e in output.events]
    assert mine[0]["kind"] == "opened"
    last = [e for output in outputs if output.night >= DAY_0 + 50 for e in output.events]
    assert [e["kind"] for e in last] == ["resolved"]
    assert "consent was withdrawn" in last[0]["explanation"]
    assert any(row["state"] == "withdrawn" for output in outputs for row in output.baselines.values())


def test_a_patient_with_no_state_yet_and_no_journals_is_nobody() -> None:
    made = engine()

    outputs = run(made, Journals.empty(len(VOICE)), 3)

    assert len(made.world) == 0
    assert all(not output.events and not output.day_values for output in outputs)


def test_a_model_s_patients_with_a_missing_channel_are_judged_by_the_others() -> None:
    values = worse(steady(2, 60), 0, 40, None, 2.5)
    values[:, :, 3] = np.nan  # pitch could never be measured

    found = events(run(engine(), journals(values), 60), "worsening")

    assert found
    assert found[0][1] == "opened"


def test_ready_days_that_never_come_are_marked_as_such() -> None:
    segment = current_segment(np.array([1, 2, 3]), np.array(["", "", ""]), RULES)

    assert segment.ready_day == NEVER
    assert segment.expected_day == 29
