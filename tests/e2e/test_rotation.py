"""New pseudonyms under a new secret: everything goes on as if it had always been so, and the old ones lead nowhere."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import sqlalchemy as sa
from pydantic import SecretStr

from affect_pipeline.errors import SettingsError
from affect_pipeline.journals.identity import Pseudonyms
from affect_pipeline.monitoring.alerts import AlertBook
from affect_pipeline.monitoring.words import to_day
from affect_pipeline.nights import Nights
from affect_pipeline.privacy.audit import list_events, verify
from affect_pipeline.privacy.rotation import check_not_interrupted, rotate
from affect_pipeline.settings import Settings
from affect_pipeline.stages.in_process import run_nights
from affect_pipeline.warehouse.engine import connect
from affect_pipeline.warehouse.load import upsert
from tests.e2e.conftest import Installation, SmallCohort, content
from tests.e2e.leaks import places_that_hold
from tests.warehouse import rows

pytestmark = pytest.mark.slow

N_NIGHTS = 6


@pytest.fixture(scope="module")
def nights(cohort: SmallCohort) -> Nights:
    every = list(cohort.nights)
    return Nights(every[0], every[N_NIGHTS - 1])


def with_file(settings: Settings, secrets: str) -> Settings:
    """Return settings whose pseudonym secret is in a file, one a line."""
    path = settings.home / "secrets" / "pseudonym.key"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(secrets)
    return settings.model_copy(update={"pseudonym_secret": None})


def test_after_a_rotation_everything_is_as_if_both_secrets_had_been_there_from_the_first_night(
    cohort: SmallCohort, installation: Installation, nights: Nights
) -> None:
    rotated = with_file(installation("rotated"), "a secret of long ago, " * 2)
    rotated = rotated.model_copy(update={"encrypt_audio": True})
    run_nights(rotated, Nights(nights.first, list(nights)[-2]))
    old_keys = keys_of(rotated)

    done = rotate(rotated)
    run_nights(rotated, Nights.one(nights.last))

    fresh = with_file(installation("fresh"), done.secret_file.read_text())
    run_nights(fresh, nights)
    assert done.n_patients == len(cohort.source_ids) == len(old_keys)
    assert content(rotated) == content(fresh)
    databases = [rotated.warehouse_url, rotated.mlflow_uri]
    assert places_that_hold(old_keys, rotated.home, databases) == []
    assert done.secret_file.stat().st_mode & 0o077 == 0
    assert verify(connect(rotated)).holds
    assert len(list_events(connect(rotated), action="pseudonyms_rotated")) == 1


def test_a_rotation_that_was_interrupted_stops_nights_until_it_is_finished(
    installation: Installation, nights: Nights, tmp_path: Path
) -> None:
    settings = with_file(installation("interrupted"), "a secret of long ago, " * 2)
    one = Nights.one(nights.first)
    run_nights(settings, one)
    before = keys_of(settings)
    old_alert, new_alert = an_alert_acknowledged(settings, before[0])
    done = rotate(settings)
    assert acknowledged(settings) == [new_alert(keys_of(settings))] != [old_alert]
    # As if the process had died after the rows were written, before the secrets were put in place.
    shutil.copy(done.secret_file, done.secret_file.with_suffix(".next"))
    done.secret_file.write_text("a secret of long ago, " * 2)

    with pytest.raises(SettingsError, match="rotate-pseudonyms"):
        run_nights(settings, one)
    renamed = keys_of(settings)
    again = rotate(settings)

    assert again.n_patients == 0
    assert keys_of(settings) == renamed != before
    check_not_interrupted(settings)
    run_nights(settings, one)
    assert keys_of(settings) == renamed


def test_a_secret_from_the_environment_cannot_be_rotated(settings: Settings) -> None:
    with pytest.raises(SettingsError, match="AFFECT_PSEUDONYM_SECRET_FILE"):
        rotate(settings.model_copy(update={"pseudonym_secret": SecretStr("x" * 32)}))


def an_alert_acknowledged(settings: Settings, patient_key: str) -> tuple[str, Callable[[list[str]], str]]:
    """Put an alert and what a person did with it there; returns its identity, and the one it must have afterwards."""
    book, first_key = AlertBook(rows.MODEL, ()), patient_key
    alert_id = book.alert_id(first_key.encode(), to_day(rows.DAY), "drift")
    made = rows.alert("x", patient_key=first_key, alert_id=alert_id, kind="drift", opened_night=rows.DAY)
    with connect(settings).begin() as connection:
        upsert(connection, "drift_alerts", rows.frame(made))
        connection.execute(
            sa.text("INSERT INTO affect.alert_actions (alert_id, actor, kind) VALUES (:id, 'ann', 'acknowledged')"),
            {"id": alert_id},
        )

    def renamed(keys: list[str]) -> str:
        secret = (settings.home / "secrets" / "pseudonym.key").read_bytes()
        key = Pseudonyms(secret).renewed("patient", first_key)
        assert key in keys
        return book.alert_id(key.encode(), to_day(rows.DAY), "drift")

    return alert_id, renamed


def acknowledged(settings: Settings) -> list[str]:
    with connect(settings).connect() as connection:
        return list(connection.scalars(sa.text("SELECT alert_id FROM affect.alert_actions")))


def keys_of(settings: Settings) -> list[str]:
    with connect(settings).connect() as connection:
        return sorted(connection.scalars(sa.text("SELECT patient_key FROM affect.patients")))
