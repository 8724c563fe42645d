"""What an alert says, and when it goes."""

from __future__ import annotations

import numpy as np

from affect_pipeline.monitoring.channels import VOICE
from affect_pipeline.monitoring.journals import Journals
from affect_pipeline.monitoring.words import to_date
from tests.monitoring.made import DAY_0, MODEL, RULES, SIGNS, engine, events, journals, key, rows, run, steady, worse


def opened(outputs: list, kind: str) -> dict:
    return next(alert for output in outputs for alert in output.alerts.values() if alert["kind"] == kind)


def test_a_passing_change_is_opened_and_resolved_once_and_not_raised_again_while_it_cools_down() -> None:
    values = worse(steady(1, 110, missing=0.0, seed=3), 0, 40, 55, 3.0)

    found = events(run(engine(), journals(values), 110), "worsening")

    kinds = [what for _, what, _ in found if what != "updated"]
    assert kinds[:2] == ["opened", "resolved"]
    resolved = next(night for night, what, _ in found if what == "resolved")
    assert 55 < resolved < 80
    again = [night for night, what, _ in found if what == "opened"][1:]
    assert all(night > resolved + RULES.cool_down_days for night in again)


def test_one_usual_day_does_not_resolve_an_alert() -> None:
    values = worse(steady(1, 60, missing=0.0, seed=5), 0, 38, None, 3.0)
    values[0, 48] -= 3.0 * SIGNS

    found = events(run(engine(), journals(values), 60), "worsening")

    assert [what for _, what, _ in found].count("opened") == 1
    assert "resolved" not in [what for _, what, _ in found]


def test_a_change_that_lasts_becomes_the_new_level_and_a_new_baseline_begins() -> None:
    values = worse(steady(1, 180, missing=0.0, seed=6), 0, 40, None, 3.0)
    made = engine()

    outputs = run(made, journals(values), 180)

    resolved = [e for output in outputs for e in output.events if e["kind"] == "resolved"]
    assert len(resolved) == 1
    assert "new level" in resolved[0]["explanation"]
    assert made.world.state["segment"][0] == 1
    assert made.world.state["ready_day"][0] > DAY_0 + 40 + RULES.lasting_days


def test_the_explanation_names_channels_sizes_onset_and_baseline() -> None:
    values = steady(1, 60, missing=0.0, seed=8)
    values[0, 40:, 0] += 3.0
    values[0, 40:, 3] -= 3.0

    outputs = run(engine(), journals(values), 60)
    alert = opened(outputs, "worsening")
    last = [a for output in outputs for a in output.alerts.values()][-1]

    assert alert["alert_id"] == last["alert_id"]
    assert {"depression", "pitch_variability"} <= set(last["channels"])
    assert last["channels"]["depression"]["effect_sd"] > 1
    assert last["channels"]["pitch_variability"]["effect_sd"] < -1
    for words in ("low-mood signal +", "pitch variability \u2212", "SD", "baseline of", "semitones"):
        assert words in last["explanation"]
    assert abs((last["onset_day"] - to_date(DAY_0 + 40)).days) <= 3
    assert last["onset_low"] <= last["onset_day"] <= last["onset_high"]


def test_the_identity_of_an_alert_follows_from_what_it_is_about() -> None:
    values = worse(steady(1, 50, missing=0.0), 0, 35, None, 3.0)

    first, second = (opened(run(engine(), journals(values), 50), "worsening") for _ in range(2))

    assert first == second
    assert len(first["alert_id"]) == 32
    assert engine().book.alert_id(key(0), (first["opened_night"] - to_date(0)).days, "worsening") == first["alert_id"]
    assert first["model_digest"] == MODEL


def test_an_improvement_is_reported_as_one_and_never_pressing() -> None:
    values = worse(steady(1, 75, missing=0.0, seed=8), 0, 40, None, -3.0)

    alert = opened(run(engine(), journals(values), 75), "improving")

    assert (alert["direction"], alert["severity"]) == ("improving", "low")
    assert "better than usual" in alert["explanation"]


def test_a_bigger_change_is_more_severe_and_ranks_higher() -> None:
    small, large = (
        opened(
            run(engine(), journals(worse(steady(1, 60, missing=0.0, seed=9), 0, 40, None, size)), 44 + 10), "worsening"
        )
        for size in (1.0, 4.0)
    )

    assert large["score"] > small["score"]


def test_recordings_that_fail_again_and_again_raise_an_alert_of_quality() -> None:
    good = journals(steady(1, 40, missing=0.0))
    bad_days = DAY_0 + np.arange(40, 50)
    bad = rows(np.zeros(10, int), bad_days, np.full((10, len(VOICE)), np.nan), accepted=False, salt="bad")

    found = events(run(engine(), Journals.concatenate([good, bad]), 50))

    assert ("opened", "quality") in [(what, kind) for _, what, kind in found]
    assert not [1 for _, what, kind in found if kind == "adherence"]  # the patient does record


def test_restlessness_is_noticed_before_any_shift() -> None:
    values = steady(1, 90, missing=0.0, seed=10)
    rng = np.random.default_rng(1)
    values[0, 45:] += 2.5 * rng.standard_normal((45, len(VOICE)))

    found = events(run(engine(), journals(values), 90), "spread")

    assert found
    assert found[0][1] == "opened"
