"""An erasure that was interrupted is finished: by asking again, or by the next housekeeping."""

from __future__ import annotations

import io
from datetime import date

import pytest
import sqlalchemy as sa

from affect_pipeline.errors import LandingZoneUnavailable
from affect_pipeline.journals.identity import Pseudonyms
from affect_pipeline.journals.store import RawStore
from affect_pipeline.privacy.erasure import NoSuchPatient, erase
from affect_pipeline.privacy.housekeeping import housekeeping
from affect_pipeline.settings import Settings
from affect_pipeline.warehouse.load import upsert
from tests.audio import deliver
from tests.warehouse.rows import DAY, frame, journal, patient

SOURCE, TODAY = "MRN-17", date(2026, 3, 1)


def n_rows(warehouse: sa.Engine) -> int:
    with warehouse.connect() as connection:
        return int(connection.exec_driver_sql("SELECT count(*) FROM affect.journals").scalar_one())


def test_an_interrupted_erasure_is_finished_by_the_next_housekeeping(
    warehouse: sa.Engine, warehouse_settings: Settings
) -> None:
    settings = warehouse_settings
    store = RawStore.of(settings)
    recording = store.put(io.BytesIO(b"a voice"), 1000).journal_id
    whose = {"patient_key": Pseudonyms(settings.pseudonym_key()).patient_key(SOURCE)}
    with warehouse.begin() as connection:
        upsert(connection, "patients", frame(patient(**whose)))
        upsert(connection, "journals", frame(journal(journal_id=recording, **whose)))
    log = settings.home / "logs" / "task.log"
    log.parent.mkdir()
    log.write_text(f"journal {recording} of {whose['patient_key']}\n")
    log.chmod(0o400)

    with pytest.raises(LandingZoneUnavailable):  # the last step fails: there is no landing zone
        erase(settings, SOURCE, today=TODAY, clear_landing=True)
    assert n_rows(warehouse) == 0
    assert list((settings.home / "erasing").iterdir()) != []
    store.put(io.BytesIO(b"a voice"), 1000)  # as if files had not been reached yet

    night = settings.home / "landing"
    deliver(night, DAY.isoformat(), SOURCE, "a.wav", b"RIFF", None)
    done = housekeeping(settings, TODAY)

    assert done.n_patients == 0, "nobody else was due"
    assert recording not in store
    assert log.read_text() == "journal erased of erased\n"
    assert list((settings.home / "erasing").iterdir()) == []
    with pytest.raises(NoSuchPatient):
        erase(settings, SOURCE, today=TODAY)
