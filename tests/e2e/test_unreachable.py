"""What cannot be reached is named with its setting, and leaves nothing half-written."""

from __future__ import annotations

from pathlib import Path

import pytest
import sqlalchemy as sa

from affect_pipeline.errors import LandingZoneUnavailable, RegistryUnavailable, UnavailableError, WarehouseUnavailable
from affect_pipeline.nights import Nights
from affect_pipeline.settings import Settings
from affect_pipeline.stages.in_process import run_nights
from affect_pipeline.warehouse.engine import connect
from tests.e2e.conftest import Installation, SmallCohort, content

NOWHERE = "postgresql://ann:hunter2@127.0.0.1:1/clinic"


@pytest.fixture
def night(cohort: SmallCohort) -> Nights:
    return cohort.last_nights[-1]


@pytest.fixture
def settings(installation: Installation) -> Settings:
    return installation("unreachable")


def assert_clear(caught: pytest.ExceptionInfo[UnavailableError], setting: str) -> None:
    assert caught.value.setting == setting
    assert setting in str(caught.value)
    assert "affect doctor" in str(caught.value)
    assert "hunter2" not in str(caught.value)


def n_rows(settings: Settings) -> int:
    return sum(rows for rows, _ in content(settings).values())


def test_an_unreachable_warehouse(settings: Settings, night: Nights) -> None:
    with pytest.raises(WarehouseUnavailable) as caught:
        run_nights(settings.model_copy(update={"warehouse_url": NOWHERE}), night)

    assert_clear(caught, "AFFECT_WAREHOUSE_URL")
    assert not settings.work_dir.exists()


@pytest.mark.parametrize("landing", ["nowhere", "s3://affect-pipeline-nowhere/landing"])
def test_an_unreachable_landing_zone(settings: Settings, night: Nights, tmp_path: Path, landing: str) -> None:
    url = landing if "://" in landing else str(tmp_path / landing)

    with pytest.raises(LandingZoneUnavailable) as caught:
        run_nights(settings.model_copy(update={"landing_url": url}), night)

    assert_clear(caught, "AFFECT_LANDING_URL")
    assert n_rows(settings) == 0


@pytest.mark.slow
def test_an_unreachable_registry_and_a_run_that_goes_on_when_it_is_back(settings: Settings, night: Nights) -> None:
    with pytest.raises(RegistryUnavailable) as caught:
        run_nights(settings.model_copy(update={"mlflow_uri": NOWHERE}), night)

    assert_clear(caught, "AFFECT_MLFLOW_URI")
    with connect(settings).connect() as connection:
        assert connection.scalar(sa.text("SELECT count(*) FROM affect.scores")) == 0

    run_nights(settings, night)

    with connect(settings).connect() as connection:
        assert connection.scalar(sa.text("SELECT count(*) FROM affect.scores")) > 0
