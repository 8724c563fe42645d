from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from rich.console import Console

from affect_pipeline.journals.identity import Pseudonyms
from affect_pipeline.nights import Nights
from affect_pipeline.settings import Settings
from affect_pipeline.simulate.cohort import Role
from affect_pipeline.simulate.report import Outcome, RaisedAlert, Verdict, compare, judge, render
from affect_pipeline.simulate.truth import PatientTruth, Truth, write_truth
from affect_pipeline.warehouse.load import upsert
from tests.warehouse.rows import alert, frame, patient

FIRST = date(2026, 1, 5)
ONSET = FIRST + timedelta(days=28)


def truth(onset: date | None = None, source_id: str = "MRN-1", role: Role = Role.STEADY) -> PatientTruth:
    return PatientTruth(source_id, "speaker", role, onset, None, n_journals=40, n_faulty=1)


def outcome(*alerts: tuple[int, str]) -> Outcome:
    """Alerts by day relative to the onset, and direction."""
    raised = tuple(RaisedAlert(ONSET + timedelta(days=day), direction, "high", None) for day, direction in alerts)
    return Outcome("alert" if alerts else "stable", None, raised)


@pytest.mark.parametrize(
    ("onset", "alerts", "verdict", "days", "n_false"),
    [
        (None, [], Verdict.QUIET, None, 0),
        (None, [(5, "worsening")], Verdict.FALSE_ALARM, None, 1),
        (None, [(5, "improving"), (9, "adherence_lost")], Verdict.FALSE_ALARM, None, 2),
        (ONSET, [], Verdict.MISSED, None, 0),
        (ONSET, [(9, "worsening"), (15, "worsening")], Verdict.FOUND, 9, 0),
        (ONSET, [(0, "worsening")], Verdict.FOUND, 0, 0),
        (ONSET, [(-1, "worsening")], Verdict.MISSED, None, 1),
        (ONSET, [(-1, "worsening"), (12, "worsening")], Verdict.FOUND, 12, 1),
        (ONSET, [(9, "improving")], Verdict.MISSED, None, 0),
    ],
)
def test_an_onset_is_found_by_an_alert_of_worsening_that_is_not_before_it(
    onset: date | None, alerts: list[tuple[int, str]], verdict: Verdict, days: int | None, n_false: int
) -> None:
    row = judge("abc", truth(onset), outcome(*alerts))
    assert (row.verdict, row.days_to_alert, row.n_false_alarms) == (verdict, days, n_false)


@pytest.fixture
def demo(warehouse: sa.Engine, warehouse_settings: Settings, tmp_path: Path) -> Path:
    key = Pseudonyms(warehouse_settings.pseudonym_key()).patient_key
    raised = ONSET + timedelta(days=10)
    found = alert(patient_key=key("MRN-1"), opened_night=raised, opened_day=raised)
    people = [patient() | {"patient_key": key(name)} for name in ("MRN-1", "MRN-2")]
    with warehouse.begin() as connection:
        upsert(connection, "patients", frame(*people))
        upsert(connection, "drift_alerts", frame(found))
    patients = (truth(ONSET, "MRN-1", Role.ONSET), truth(None, "MRN-2"), truth(None, "MRN-3", Role.LITTLE_DATA))
    nights = Nights(FIRST, FIRST + timedelta(days=49))
    path = tmp_path / "truth.json"
    write_truth(Truth(1, "tones", nights, 14, patients, ()), path)
    return path


def test_the_truth_is_joined_to_the_warehouse_by_pseudonym(demo: Path, warehouse_settings: Settings) -> None:
    report = compare(warehouse_settings, demo)
    assert [(row.verdict, row.outcome.state) for row in report.patients] == [
        (Verdict.FOUND, "alert"),
        (Verdict.UNJUDGED, "too_little_data"),
        (Verdict.UNJUDGED, "not seen"),
    ]
    assert report.median_days_to_alert == 10


def test_the_table_names_nobody_and_gives_the_totals(demo: Path, warehouse_settings: Settings) -> None:
    console = Console(record=True, width=120)
    console.print(render(compare(warehouse_settings, demo)))
    text = console.export_text()
    assert "MRN-" not in text
    assert Pseudonyms(warehouse_settings.pseudonym_key()).patient_key("MRN-1")[:8] in text
    assert "1 of 1 onsets found, half of them within 10 days" in text
    # The two others have too little data: quiet about them is no merit.
    assert "0 of 0 patients who were judged and had no onset had a false alarm" in text
    assert f"{ONSET}" in text
