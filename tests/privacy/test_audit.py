"""The audit trail is written by whoever acts or looks, in order, and shows when it was tampered with."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import sqlalchemy as sa
from typer.testing import CliRunner

from affect_pipeline.cli import build
from affect_pipeline.privacy.audit import list_events, record, verify
from affect_pipeline.serving.alerts import alert_detail, alert_page
from affect_pipeline.serving.database import Database
from affect_pipeline.serving.patients import patient, patient_page
from affect_pipeline.serving.problems import Problem
from affect_pipeline.settings import Settings, get_settings
from affect_pipeline.warehouse.access import as_person
from affect_pipeline.warehouse.backup import backup, restore
from affect_pipeline.warehouse.engine import connect
from affect_pipeline.warehouse.load import upsert
from tests.conftest import WarehouseMaker
from tests.warehouse.rows import alert, digest, frame, journal, key
from tests.warehouse.rows import patient as patient_row


@pytest.fixture
def clinic(warehouse: sa.Engine) -> sa.Engine:
    """A patient in the north with an alert and a journal in quarantine, a counselor, and an administrator."""
    with warehouse.begin() as connection:
        upsert(connection, "patients", frame(patient_row("patient", clinic="north")))
        upsert(connection, "journals", frame(journal(status="quarantined", failed=["snr"])))
        upsert(connection, "drift_alerts", frame(alert("alert", patient_key=key("patient"))))
        connection.exec_driver_sql(
            "INSERT INTO affect.people (login, display_name, role, clinics) VALUES "
            "('ann', 'Ann', 'counselor', '{north}'), ('rob', 'Rob', 'counselor', '{south}'), "
            "('max', 'Max', 'admin', '{}')"
        )
    return warehouse


def told(engine: sa.Engine) -> list[tuple[str, str, str | None]]:
    """Return who did what to whom, oldest first, without who was given access."""
    events = reversed(list_events(engine))
    return [(e["actor"], e["action"], e["patient_key"]) for e in events if e["action"] != "access_changed"]


def look(engine: sa.Engine, settings: Settings, login: str) -> None:
    with Database(settings, engine).as_person(login) as queries:
        patient(queries, key("patient"))


def test_who_looks_at_a_patient_is_noted_once_in_five_minutes(clinic: sa.Engine, settings: Settings) -> None:
    look(clinic, settings, "ann")
    look(clinic, settings, "ann")
    look(clinic, settings, "max")

    assert told(clinic) == [("ann", "patient_viewed", key("patient")), ("max", "patient_viewed", key("patient"))]
    assert verify(clinic).holds


def test_lists_and_alerts_are_noted_too(clinic: sa.Engine, settings: Settings) -> None:
    with Database(settings, clinic).as_person("ann") as queries:
        patient_page(queries, 10, None, clinic=None, state=None, key_prefix=None)
        alert_page(queries, 10, None, ["new"])
        alert_detail(queries, key("alert"))

    assert sorted(told(clinic), key=str) == [
        ("ann", "alert_viewed", key("patient")),
        ("ann", "patients_listed", None),
    ]


def test_who_may_not_see_a_patient_leaves_no_view_behind(clinic: sa.Engine, settings: Settings) -> None:
    with pytest.raises(Problem):
        look(clinic, settings, "rob")

    assert told(clinic) == []


def test_acting_on_an_alert_releasing_a_journal_and_assigning_a_patient_are_noted_by_the_warehouse(
    clinic: sa.Engine,
) -> None:
    with as_person(clinic, "ann") as connection:
        connection.exec_driver_sql(
            "INSERT INTO affect.alert_actions (alert_id, actor, kind) VALUES (%s, 'ann', 'acknowledged')",
            (key("alert"),),
        )
    with as_person(clinic, "max") as connection:
        connection.exec_driver_sql(
            "INSERT INTO affect.quarantine_releases (journal_id, actor, reason) VALUES (%s, 'max', 'heard it')",
            (digest("one"),),
        )
        connection.exec_driver_sql(
            "INSERT INTO affect.care_assignments (login, patient_key, assigned_by) VALUES ('rob', %s, 'max')",
            (key("patient"),),
        )

    assert told(clinic) == [
        ("ann", "alert_acknowledged", key("patient")),
        ("max", "quarantine_released", key("patient")),
        ("max", "patient_assigned", key("patient")),
    ]


def test_what_is_rolled_back_leaves_no_event(clinic: sa.Engine) -> None:
    with clinic.connect() as connection:
        record(connection, "model_promoted", actor="max", version=3)
        connection.rollback()

    assert told(clinic) == []
    assert verify(clinic).holds


def test_events_of_many_at_once_make_one_chain(clinic: sa.Engine) -> None:
    def one(number: int) -> None:
        with clinic.begin() as connection:
            record(connection, "patient_viewed", key("patient"), actor=f"person-{number}")

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(one, range(40)))

    found = verify(clinic)
    assert found.holds
    assert found.n_events == 40 + 3
    assert len(set(told(clinic))) == 40


@pytest.mark.parametrize(
    ("tampering", "complaint"),
    [
        ("UPDATE affect.audit_events SET actor = 'rob' WHERE seq = 5", "event 5 was changed"),
        ("UPDATE affect.audit_events SET at = at + interval '1 second' WHERE seq = 5", "event 5 was changed"),
        ("UPDATE affect.audit_events SET detail = '{\"x\": 1}' WHERE seq = 5", "event 5 was changed"),
        ("UPDATE affect.audit_events SET subject = NULL WHERE seq = 5", "event 5 was changed"),
        ("DELETE FROM affect.audit_events WHERE seq = 5", "event 5 is missing"),
        ("DELETE FROM affect.audit_events WHERE seq <= 5", "event 1 is missing"),
        ("DELETE FROM affect.audit_events WHERE seq >= 8", "end of the chain was cut off"),
        (
            "UPDATE affect.audit_events SET actor = 'rob', hash = encode(sha256(convert_to(previous, 'UTF8')), 'hex') "
            "WHERE seq = 5",
            "event 6 does not follow",
        ),
    ],
    ids=["actor", "time", "detail", "subject", "gap", "beginning", "end", "with a hash of its own"],
)
def test_tampering_by_the_owner_of_the_database_is_found(clinic: sa.Engine, tampering: str, complaint: str) -> None:
    for number in range(6):
        with clinic.begin() as connection:
            record(connection, "patient_viewed", key("patient"), actor=f"person-{number}")
    head = verify(clinic).head
    assert verify(clinic, head).holds

    with clinic.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE affect.audit_events DISABLE TRIGGER only_added")
        assert connection.exec_driver_sql(tampering.replace("%", "%%")).rowcount >= 1

    assert complaint in "; ".join(verify(clinic, head).problems)


@pytest.mark.parametrize(
    "statement",
    ["UPDATE affect.audit_events SET actor = 'x'", "DELETE FROM affect.audit_events", "TRUNCATE affect.audit_events"],
)
def test_not_even_the_owner_changes_events_by_mistake(clinic: sa.Engine, statement: str) -> None:
    with pytest.raises(sa.exc.ProgrammingError, match="only ever added"), clinic.begin() as connection:
        connection.exec_driver_sql(statement)


@pytest.mark.parametrize(
    "forgery",
    [
        "INSERT INTO affect.audit_events SELECT * FROM affect.audit_events",
        "SELECT affect_private.record_audit('rob', 'patient_viewed', NULL, NULL)",
        "SELECT * FROM affect.audit_events",
        "SELECT * FROM affect_private.audit_subjects",
        "SELECT affect.note_view('model_promoted', NULL)",
    ],
)
def test_a_counselors_session_can_neither_read_nor_forge_the_trail(clinic: sa.Engine, forgery: str) -> None:
    with pytest.raises(sa.exc.DBAPIError), as_person(clinic, "ann") as connection:
        connection.exec_driver_sql(forgery)


def test_a_view_is_noted_under_the_sessions_own_name_only(clinic: sa.Engine) -> None:
    with as_person(clinic, "ann") as connection:
        connection.exec_driver_sql("SELECT set_config('affect.session', 'max|9999999999|' || repeat('0', 64), true)")
        with pytest.raises(sa.exc.ProgrammingError, match="nobody is logged in"):
            connection.exec_driver_sql("SELECT affect.note_view('patient_viewed', %s)", (key("patient"),))


def test_the_chain_survives_backup_and_restore(
    clinic: sa.Engine, warehouse_settings: Settings, new_warehouse: WarehouseMaker, tmp_path: Path, settings: Settings
) -> None:
    look(clinic, settings, "ann")
    backup(warehouse_settings, tmp_path / "dump")
    other = new_warehouse(tmp_path / "other")
    restore(other, tmp_path / "dump")

    look(connect(other), settings, "max")

    found = verify(connect(other), verify(clinic).head)
    assert found.holds
    assert found.n_events == verify(clinic).n_events + 1


def test_the_commands_list_and_verify(
    clinic: sa.Engine, warehouse_settings: Settings, monkeypatch: pytest.MonkeyPatch, settings: Settings
) -> None:
    look(clinic, settings, "ann")
    monkeypatch.setenv("AFFECT_WAREHOUSE_URL", warehouse_settings.warehouse_url)
    monkeypatch.setenv("COLUMNS", "200")
    get_settings.cache_clear()
    try:
        listed = CliRunner().invoke(build(), ["audit", "list", "--actor", "ann"])
        good = CliRunner().invoke(build(), ["audit", "verify"])
        with clinic.begin() as connection:
            connection.exec_driver_sql("ALTER TABLE affect.audit_events DISABLE TRIGGER only_added")
            connection.exec_driver_sql("UPDATE affect.audit_events SET actor = 'nobody' WHERE seq = 2")
        bad = CliRunner().invoke(build(), ["audit", "verify"])
    finally:
        get_settings.cache_clear()

    assert "patient_viewed" in listed.output
    assert key("patient") in listed.output
    assert (good.exit_code, "nothing changed" in good.output) == (0, True)
    assert (bad.exit_code, "event 2 was changed" in bad.output) == (1, True)
