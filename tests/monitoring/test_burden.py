"""More alerts than a care team can look at are ranked and said, never dropped."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from affect_pipeline.monitoring.burden import burden
from affect_pipeline.settings import Settings

ROWS = [{"clinic": "north", "n_patients": 12}, {"clinic": "south", "n_patients": 12}, {"clinic": None, "n_patients": 2}]


def settings(tmp_path: Path, **changes: object) -> Settings:
    return Settings(home=tmp_path, **changes)


def test_a_team_within_its_budget_is_not_mentioned_and_one_beyond_it_is(tmp_path: Path) -> None:
    teams = burden(settings(tmp_path, alert_budget=10, alert_budgets="south=20, west = 3"), ROWS)

    assert [(team.clinic, team.exceeded) for team in teams] == [("north", True), ("south", False), (None, False)]
    assert "12 patients" in teams[0].words()
    assert "budget of 10 a day" in teams[0].words()
    assert "none is left out" in teams[0].words()


def test_a_budget_is_enough_for_just_so_many_patients(tmp_path: Path) -> None:
    assert [team.exceeded for team in burden(settings(tmp_path, alert_budget=12), ROWS)] == [False, False, False]


@pytest.mark.parametrize("budgets", ["north", "north=0", "north=five", "=5", "north=5 south=6"])
def test_a_budget_that_is_none_is_refused(tmp_path: Path, budgets: str) -> None:
    with pytest.raises(ValidationError, match="alert_budgets"):
        settings(tmp_path, alert_budgets=budgets)
