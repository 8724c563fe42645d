"""Erasing a patient leaves nothing of the patient, and everybody else as if the patient had never been."""

from __future__ import annotations

import shutil
from datetime import date
from pathlib import Path

import pytest
import sqlalchemy as sa

from affect_pipeline.files import read_json
from affect_pipeline.journals.identity import Pseudonyms
from affect_pipeline.nights import Nights
from affect_pipeline.privacy.audit import list_events, verify
from affect_pipeline.privacy.erasure import NoSuchPatient, Receipt, charts_through, derive_again, erase
from affect_pipeline.privacy.housekeeping import housekeeping
from affect_pipeline.privacy.keyfiles import key_file
from affect_pipeline.settings import Settings
from affect_pipeline.stages.in_process import run_nights
from affect_pipeline.warehouse.backup import backup, restore
from affect_pipeline.warehouse.engine import connect
from tests.audio import deliver
from tests.conftest import WarehouseMaker
from tests.e2e.conftest import Installation, SmallCohort, content
from tests.e2e.leaks import places_that_hold

pytestmark = pytest.mark.slow

TODAY = date(2030, 1, 1)
N_NIGHTS = 18
CANARY = "canary-6f1d8a"


class Erased:
    """An installation in which one of three patients was erased, with backups from before."""

    def __init__(self, settings: Settings, nights: Nights, source_id: str, folder: Path) -> None:
        self.settings, self.nights, self.source_id = settings, nights, source_id
        self.key = Pseudonyms(settings.pseudonym_key()).patient_key(source_id)
        run_nights(settings, nights)
        engine = connect(settings)
        self._people_act(engine)
        with engine.connect() as connection:
            found = connection.execute(
                sa.text("SELECT journal_id, delivery_key FROM affect.deliveries WHERE patient_key = :key"),
                {"key": self.key},
            ).all()
        self.journal_ids = [row.journal_id for row in found]
        self.words = [self.key, source_id, CANARY, *(word for row in found for word in row)]
        (settings.home / "logs").mkdir(exist_ok=True)
        (settings.home / "logs" / "task.log").write_text(f"journal {self.journal_ids[0]} could not be measured\n")
        self.found_before = places_that_hold([self.key, self.journal_ids[0]], settings.home, self.databases)
        self.dump = folder / "before.dump"
        backup(settings, self.dump)
        self.keys_before = read_json(key_file(self.dump))["keys"]
        through = charts_through(engine)
        self.receipt: Receipt = erase(settings, source_id, today=TODAY, actor="max")
        derive_again(settings, through)

    @property
    def databases(self) -> list[str]:
        return [self.settings.warehouse_url, self.settings.mlflow_uri]

    def _people_act(self, engine: sa.Engine) -> None:
        with engine.begin() as connection:
            connection.exec_driver_sql(
                "INSERT INTO affect.people (login, display_name, role) VALUES ('ann', 'Ann', 'counselor')"
            )
            connection.exec_driver_sql(
                "INSERT INTO affect.care_assignments (login, patient_key, assigned_by) VALUES ('ann', %s, 'max')",
                (self.key,),
            )


def first_nights(cohort: SmallCohort) -> Nights:
    nights = list(cohort.nights)
    return Nights(nights[0], nights[N_NIGHTS - 1])


@pytest.fixture(scope="module")
def erased(cohort: SmallCohort, installation: Installation, tmp_path_factory: pytest.TempPathFactory) -> Erased:
    folder = tmp_path_factory.mktemp("erased")
    source_id = sorted(cohort.source_ids)[1]
    landing = folder / "landing"
    shutil.copytree(cohort.landing, landing)
    night = first_nights(cohort).first.isoformat()
    recording = next((landing / night).rglob("*.json")).with_suffix("")
    audio = next(path for path in recording.parent.glob(f"{recording.name}.*") if path.suffix != ".json")
    description = f'{{"recorded_at": "{night}T10:00:00Z", "consent": true, "device": "{CANARY}"}}'
    deliver(landing, night, source_id, f"{CANARY}{audio.suffix}", audio.read_bytes() + b"tail", description.encode())
    settings = installation("erased").model_copy(update={"landing_url": str(landing), "encrypt_audio": True})
    return Erased(settings, first_nights(cohort), source_id, folder)


def test_what_is_looked_for_was_there_before(erased: Erased) -> None:
    places = " ".join(erased.found_before)

    for place in (
        "affect.scores",
        "affect.deliveries",
        "rows of work",
        "logs/task.log",
        "audit_subjects",
        "name of raw",
    ):
        assert place in places


def test_nothing_of_an_erased_patient_is_found_anywhere(erased: Erased) -> None:
    assert places_that_hold(erased.words, erased.settings.home, erased.databases) == []


def test_everybody_else_is_as_if_the_patient_had_never_been(
    erased: Erased, cohort: SmallCohort, installation: Installation, tmp_path: Path
) -> None:
    shutil.copytree(cohort.landing, tmp_path / "without", ignore=shutil.ignore_patterns(erased.source_id))
    without = installation("without").model_copy(update={"landing_url": str(tmp_path / "without")})
    run_nights(without, erased.nights)

    assert content(erased.settings) == content(without)


def test_the_receipt_stands_in_the_audit_trail_and_names_nobody(erased: Erased) -> None:
    (event,) = list_events(connect(erased.settings), action="patient_erased")
    (assigned,) = list_events(connect(erased.settings), action="patient_assigned")

    assert (event["seq"], event["actor"], event["patient_key"]) == (erased.receipt.event, "max", None)
    assert event["subject"] == assigned["subject"]
    assert event["detail"]["rows"]["scores"] > 10
    assert erased.receipt.n_recordings == len(set(erased.journal_ids))
    assert verify(connect(erased.settings)).holds


def test_the_backups_key_of_the_patient_is_gone_and_those_of_others_are_kept(erased: Erased) -> None:
    left = read_json(key_file(erased.dump))["keys"]

    assert len(left) == len(erased.keys_before) - 1 > 0
    assert erased.key not in str(left)


def test_what_lies_in_the_landing_zone_still_is_not_taken_in_again(erased: Erased) -> None:
    before = content(erased.settings)
    assert erased.receipt.n_left_in_landing > 10

    run_nights(erased.settings, erased.nights)

    assert content(erased.settings) == before


def test_a_backup_from_before_does_not_bring_the_patient_back(
    erased: Erased, new_warehouse: WarehouseMaker, tmp_path: Path
) -> None:
    other = new_warehouse(tmp_path / "unused")
    restored = erased.settings.model_copy(update={"warehouse_url": other.warehouse_url})

    restore(restored, erased.dump)

    assert places_that_hold(erased.words, erased.settings.home, [restored.warehouse_url]) == []
    assert content(restored) == content(erased.settings)


def test_who_is_not_known_is_not_erased(erased: Erased) -> None:
    for patient in ("nobody of that name", erased.source_id, erased.key):
        with pytest.raises(NoSuchPatient):
            erase(erased.settings, patient, today=TODAY)


def test_housekeeping_erases_who_was_silent_for_too_long_and_removes_old_files(erased: Erased) -> None:
    settings = erased.settings
    nights = erased.nights
    kept = housekeeping(settings.model_copy(update={"keep_work_days": 1000, "keep_patient_days": 1000}), nights.last)
    assert (kept.n_recordings, kept.n_runs, kept.n_patients) == (0, 0, 0)

    old = housekeeping(settings.model_copy(update={"keep_audio_days": 5000, "keep_work_days": 10}), TODAY)
    assert (old.n_recordings, old.n_runs) == (0, 1)

    gone = housekeeping(settings.model_copy(update={"keep_patient_days": 30, "keep_audio_days": 30}), TODAY)
    assert (gone.n_recordings > 10, gone.n_patients) == (True, 2)
    with connect(settings).connect() as connection:
        assert connection.scalar(sa.text("SELECT count(*) FROM affect.patients")) == 0
