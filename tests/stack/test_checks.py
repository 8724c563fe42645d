"""`affect doctor` sees what is wrong, and says how to mend it."""

from __future__ import annotations

import socket
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest
from pydantic import SecretStr

from affect_pipeline.settings import Settings
from affect_pipeline.stack import checks
from affect_pipeline.stack.checks import CHECKS, State
from affect_pipeline.stack.ports import HOST, Ports, is_free

NOWHERE = "postgresql://ann:hunter2@127.0.0.1:1/clinic"


def with_(settings: Settings, **values: object) -> Settings:
    return settings.model_copy(update=values)


def test_a_fresh_installation_has_nothing_broken_and_the_doctor_leaves_no_trace(settings: Settings) -> None:
    findings = checks.examine(settings)

    assert [finding for finding in findings if finding.state is State.BROKEN] == []
    assert len(findings) == len(CHECKS)
    assert not settings.home.exists()


@pytest.mark.parametrize("secret", ["short", "0123456789abcdef", "a" * 64])
def test_a_secret_that_can_be_guessed_is_broken_and_not_shown(settings: Settings, secret: str) -> None:
    finding = checks.check_secret(with_(settings, pseudonym_secret=SecretStr(secret)))

    assert finding.state is State.BROKEN
    assert "openssl rand -hex 32" in finding.mend
    assert secret not in finding.detail


def test_a_secret_that_others_can_read_is_broken(settings: Settings) -> None:
    settings.pseudonym_key()
    assert checks.check_secret(settings).state is State.OK
    (settings.home / "secrets" / "pseudonym.key").chmod(0o644)

    finding = checks.check_secret(settings)

    assert finding.state is State.BROKEN
    assert finding.mend.startswith("chmod 600")


def test_a_short_password_in_a_url_is_noted_and_not_shown(settings: Settings) -> None:
    assert checks.check_passwords(settings).state is State.OK

    weak = checks.check_passwords(with_(settings, warehouse_url=NOWHERE))
    strong = checks.check_passwords(with_(settings, warehouse_url=NOWHERE.replace("hunter2", "9f" * 32)))

    assert weak.state is State.NOTE
    assert "AFFECT_WAREHOUSE_URL has 7 characters" in weak.detail
    assert "hunter2" not in weak.detail + weak.mend
    assert strong.state is State.OK


def test_a_port_in_use_is_only_worth_a_note(settings: Settings) -> None:
    with ExitStack() as held:
        if is_free(Ports().mlflow):
            held.enter_context(socket.create_server((HOST, Ports().mlflow)))

        finding = checks.check_ports(settings)

    assert finding.state is State.NOTE
    assert str(Ports().mlflow) in finding.detail


def test_an_unreachable_warehouse_is_broken_and_names_the_setting_without_the_password(settings: Settings) -> None:
    finding = checks.check_warehouse(with_(settings, warehouse_url=NOWHERE))

    assert finding.state is State.BROKEN
    assert "AFFECT_WAREHOUSE_URL" in finding.detail + finding.mend
    assert "hunter2" not in finding.detail + finding.mend


def test_an_unreachable_registry_is_broken_and_names_the_setting_without_the_password(settings: Settings) -> None:
    finding = checks.check_registry(with_(settings, mlflow_uri=NOWHERE))

    assert finding.state is State.BROKEN
    assert "AFFECT_MLFLOW_URI" in finding.detail + finding.mend
    assert "hunter2" not in finding.detail + finding.mend


def test_a_migrated_warehouse_is_fine(warehouse_settings: Settings) -> None:
    finding = checks.check_warehouse(warehouse_settings)

    assert finding.state is State.OK
    assert "migrations applied" in finding.detail


def test_a_landing_zone_that_does_not_exist_is_broken_only_if_it_was_asked_for(
    settings: Settings, tmp_path: Path
) -> None:
    assert checks.check_landing_zone(settings).state is State.NOTE
    assert checks.check_landing_zone(with_(settings, landing_url=str(tmp_path / "none"))).state is State.BROKEN
    assert checks.check_landing_zone(with_(settings, landing_url=str(tmp_path))).state is State.OK


def test_an_unknown_kind_of_landing_zone_is_broken(settings: Settings) -> None:
    finding = checks.check_landing_zone(with_(settings, landing_url="nosuch://bucket"))

    assert finding.state is State.BROKEN
    assert "AFFECT_LANDING_URL" in finding.mend


def test_what_a_killed_stack_leaves_behind_is_noted(settings: Settings) -> None:
    assert checks.check_locks(settings).detail == "not running"
    settings.home.mkdir()
    (settings.home / "stack.lock").write_text('{"airflow": "http://localhost:8080"}')

    assert checks.check_locks(settings).state is State.NOTE


def test_every_broken_finding_says_how_to_mend_it(settings: Settings, tmp_path: Path) -> None:
    ill = with_(
        settings,
        warehouse_url=NOWHERE,
        mlflow_uri=NOWHERE,
        landing_url=str(tmp_path / "none"),
        pseudonym_secret=SecretStr("short"),
    )

    broken = [finding for finding in checks.examine(ill) if finding.state is State.BROKEN]

    assert len(broken) == 4
    assert all(replace(finding, mend="") != finding for finding in broken)
