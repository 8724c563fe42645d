"""Nights one by one, shuffled, twice, or as one backfill: the same rows; and the notebook that walks through them."""

from __future__ import annotations

import os
import random
from pathlib import Path

import nbformat
import pytest
import sqlalchemy as sa
from nbclient import NotebookClient

from affect_pipeline.nights import Nights
from affect_pipeline.settings import Settings
from affect_pipeline.stages.in_process import run_nights
from affect_pipeline.warehouse.engine import connect
from tests.e2e.conftest import Installation, SmallCohort, content

pytestmark = pytest.mark.slow

TOUR = Path(__file__).parents[2] / "docs" / "tour.ipynb"


@pytest.fixture(scope="module")
def one_backfill(cohort: SmallCohort, installation: Installation) -> Settings:
    """All nights as one run: what every other way must come to."""
    settings = installation("backfill")
    run_nights(settings, cohort.nights)
    return settings


def run_all(settings: Settings, cohort: SmallCohort, nights: list[Nights]) -> Settings:
    for each in (cohort.history, *nights):
        run_nights(settings, each)
    return settings


def test_the_cohort_leaves_rows_in_every_derived_table(one_backfill: Settings) -> None:
    tables = content(one_backfill)

    for table in (
        "patients", "journals", "deliveries", "audio_quality", "quality_checks", "biomarkers", "scores", "nights",
        "monitored_days", "baselines", "chart_state", "drift_alerts", "alert_events", "questionnaires",
    ):  # fmt: skip
        assert tables[table][0] > 0, table


def test_alerts_are_raised_in_the_nights_whose_order_is_changed(one_backfill: Settings, cohort: SmallCohort) -> None:
    with connect(one_backfill).connect() as connection:
        raised = set(connection.scalars(sa.text("SELECT opened_night FROM affect.drift_alerts")))

    assert raised & {night for nights in cohort.last_nights for night in nights}


def test_nights_one_by_one_leave_the_rows_of_one_backfill(
    cohort: SmallCohort, installation: Installation, one_backfill: Settings
) -> None:
    one_by_one = run_all(installation("one-by-one"), cohort, cohort.last_nights)

    assert content(one_by_one) == content(one_backfill)


def test_shuffled_nights_some_of_them_twice_leave_the_rows_of_one_backfill(
    cohort: SmallCohort, installation: Installation, one_backfill: Settings
) -> None:
    nights = [*cohort.last_nights, *cohort.last_nights[:2]]
    random.Random(5).shuffle(nights)
    assert nights[: len(cohort.last_nights)] != cohort.last_nights

    shuffled = run_all(installation("shuffled"), cohort, nights)

    assert content(shuffled) == content(one_backfill)


def test_the_same_backfill_again_changes_nothing(cohort: SmallCohort, one_backfill: Settings) -> None:
    before = content(one_backfill)

    run_nights(one_backfill, cohort.nights)

    assert content(one_backfill) == before


def test_the_tour_leads_from_the_warehouse_to_a_trend_a_comparison_and_an_alert_made_again(
    one_backfill: Settings, tmp_path: Path
) -> None:
    secret = one_backfill.pseudonym_secret
    assert secret is not None
    here = {
        "AFFECT_HOME": str(one_backfill.home),
        "AFFECT_WAREHOUSE_URL": one_backfill.warehouse_url,
        "AFFECT_PSEUDONYM_SECRET": secret.get_secret_value(),
    }
    own = {"IPYTHONDIR": str(tmp_path), "JUPYTER_RUNTIME_DIR": str(tmp_path), "PYTHONPATH": str(TOUR.parents[1])}
    tour = nbformat.read(TOUR, as_version=4)  # type: ignore[no-untyped-call]
    code = [cell for cell in tour.cells if cell.cell_type == "code"]
    assert not any(cell.outputs or cell.execution_count for cell in code), "outputs hold patients: clear them"

    NotebookClient(tour, timeout=60, kernel_name="python3").execute(env=os.environ | here | own)

    said = "".join(output.get("text", "") for output in code[-1].outputs)
    drawn = [cell for cell in code if any("image/png" in output.get("data", {}) for output in cell.outputs)]
    assert said.endswith("identical\n"), said
    assert "0 stored recordings" not in said
    assert len(drawn) == 2
    compared = next(cell for cell in code if "measure_phq_agreement" in cell.source)
    assert "within_r" in compared.outputs[0]["data"]["text/plain"]
