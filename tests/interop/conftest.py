"""A small cohort in a warehouse, and a FHIR server to send it to."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from affect_pipeline.interop.client import FhirClient, Patience
from affect_pipeline.settings import Settings
from affect_pipeline.warehouse.engine import connect
from affect_pipeline.warehouse.load import upsert
from tests.conftest import WarehouseMaker
from tests.interop.fhir_server import FhirServer, fhir_server
from tests.warehouse.rows import (
    DAY,
    MODEL,
    alert,
    biomarkers,
    digest,
    frame,
    journal,
    key,
    monitored_day,
    patient,
    score,
)

TOKEN = "a-token-that-nobody-may-see"
NEXT = DAY + dt.timedelta(days=1)

FILLED = (
    "alert_actions", "alert_events", "biomarkers", "drift_alerts", "erasures", "fhir_deliveries", "fhir_progress",
    "journals", "model_versions", "monitored_days", "nights", "omop_persons", "patients", "people", "questionnaires",
    "scores",
)  # fmt: skip
"""Tables that tests here fill, and find empty."""

Connected = Callable[[], FhirClient]


@pytest.fixture
def server() -> Iterator[FhirServer]:
    with fhir_server(TOKEN) as running:
        yield running


@pytest.fixture
def naps() -> list[float]:
    """Seconds that clients waited for."""
    return []


@pytest.fixture
def connected(server: FhirServer, naps: list[float]) -> Connected:
    """Return a function that makes clients, which only note how long they would wait."""
    return lambda: FhirClient(server.url, TOKEN, Patience(n_tries=3, timeout_s=5), naps.append)


@pytest.fixture(scope="session")
def made(new_warehouse: WarehouseMaker, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """One warehouse for all: its rows are made anew for each test, which is quicker than a new database."""
    return new_warehouse(tmp_path_factory.mktemp("interop") / "home")


@pytest.fixture
def warehouse(made: Settings) -> sa.Engine:
    engine = connect(made)
    with engine.begin() as connection:
        connection.exec_driver_sql(f"TRUNCATE {', '.join(f'affect.{table}' for table in FILLED)} CASCADE")
    return engine


@pytest.fixture
def clinic(warehouse: sa.Engine, made: Settings, tmp_path: Path) -> Settings:
    """Two patients over two nights: three journals that were scored, one in quarantine, an alert, a questionnaire."""
    fill(warehouse)
    return made.model_copy(update={"home": tmp_path / "home"})


def fill(engine: sa.Engine) -> None:
    whose = {name: {"patient_key": key(name)} for name in ("ada", "ben")}
    days = {"ada 1": DAY, "ada 2": NEXT, "ben 1": DAY, "ben 2": NEXT}
    with engine.begin() as connection:
        for name in whose:
            upsert(connection, "patients", frame(patient(name)))
        for label, day in days.items():
            own = whose[label[:3]] | {"local_day": day}
            upsert(connection, "journals", frame(journal(label, night=day, **own)))
            if label != "ben 2":
                upsert(connection, "scores", frame(score(label, **own)))
                upsert(connection, "biomarkers", frame(biomarkers(label, **own)))
                band = {"depression_expected": 0.0, "depression_half_band": 1.0, "signal": False, "statistic": 0.1}
                upsert(connection, "monitored_days", frame(monitored_day(label[:3], local_day=day, **band)))
            status = "quarantined" if label == "ben 2" else "accepted"
            failed = ["snr_at_least"] if label == "ben 2" else []
            upsert(connection, "journal_verdicts", frame(verdict(label, status, failed)))
        model = {"model_digest": MODEL, "name": "affect-wav2vec2", "registry_version": 1, "description": "one line",
                 "metrics": {}, "registered_at": dt.datetime(2026, 1, 1, tzinfo=dt.UTC)}  # fmt: skip
        upsert(connection, "model_versions", frame(model))
        upsert(connection, "drift_alerts", frame(alert("alert of ada", **whose["ada"])))
        upsert(connection, "questionnaires", frame(questionnaire("ada")))


def verdict(label: str, status: str, failed: list[str]) -> dict[str, object]:
    return {"journal_id": digest(label), "status": status, "failed": failed, "warned": []}


def questionnaire(name: str) -> dict[str, object]:
    return {
        "delivery_key": key(f"answers of {name}"), "patient_key": key(name), "night": DAY, "source": "file",
        "journal_id": None, "questionnaire_id": digest(f"answers of {name}"), "instrument": "PHQ-9",
        "answered_at": dt.datetime(2026, 1, 5, 9, tzinfo=dt.UTC), "local_day": DAY,
        "items": [1, 1, 1, 1, 1, 0, 0, 0, 0], "total": 5, "item_9": 0, "problem": None, "problem_detail": None,
    }  # fmt: skip
