"""The commands beside the web service."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from affect_pipeline.cli import build
from affect_pipeline.serving.people import find_by_login, find_by_token
from affect_pipeline.serving.sessions import token_digest
from affect_pipeline.settings import get_settings
from tests.serving.conftest import World

Affect = Callable[..., Result]


@pytest.fixture
def affect(own_world: World, monkeypatch: pytest.MonkeyPatch) -> Iterator[Affect]:
    """Run `affect ...` on a filled warehouse, configured by the environment."""
    monkeypatch.setenv("AFFECT_HOME", str(own_world.settings.home))
    monkeypatch.setenv("AFFECT_WAREHOUSE_URL", own_world.settings.warehouse_url)
    monkeypatch.setenv("COLUMNS", "200")
    get_settings.cache_clear()

    def run(*arguments: str) -> Result:
        return CliRunner().invoke(build(), list(arguments))

    yield run
    get_settings.cache_clear()


def test_a_person_is_added_with_a_token_that_works(affect: Affect, own_world: World) -> None:
    printed = affect("people", "add", "mia", "--name", "Mia South", "--clinic", "south", "--only-assigned").output

    [token] = re.findall(r"affect_[\w-]{40,}", printed)
    person = find_by_token(own_world.database, token_digest(token))
    assert person is not None
    assert (person.login, person.name, person.role, person.clinics, person.sees) == (
        "mia", "Mia South", "counselor", ("south",), "assigned",
    )  # fmt: skip


def test_a_further_token_may_be_for_uploads_only(affect: Affect, own_world: World) -> None:
    [token] = re.findall(r"affect_[\w-]{40,}", affect("people", "token", "ada", "--upload-only").output)

    person = find_by_token(own_world.database, token_digest(token))
    assert person is not None
    assert person.scope == "upload"


def test_people_are_listed_assigned_and_removed(affect: Affect, own_world: World) -> None:
    patient = own_world.client("sam").get("/patients").json()["patients"][0]["patient_key"]

    affect("people", "assign", "nora", patient)
    listed = affect("people", "list").output
    affect("people", "remove", "sam")

    assert re.search(r"nora +Nora North +counselor +north +clinic +1", listed)
    assert find_by_login(own_world.database, "sam") is None
    assert affect("people", "remove", "sam").exception is not None
    assert affect("people", "assign", "nora", "0" * 32).exception is not None


def test_trends_list_patients_and_show_one(affect: Affect) -> None:
    alerting = affect("trends", "--state", "alert", "--as", "nora").output
    key = re.findall(r"^ *([0-9a-f]{8}) ", alerting, re.MULTILINE)[0]

    one = affect("trends", key).output

    assert "Low-mood signal" in one
    assert re.search("[▁▂▃▄▅▆▇█]{5}", one)
    assert "new high worsening" in one
    assert affect("trends", "ffffffffff").exception is not None


@pytest.mark.parametrize("suffix", [".pdf", ".html"])
def test_a_report_is_written_where_it_was_asked_for(affect: Affect, tmp_path: Path, suffix: str) -> None:
    key = re.findall(r"^ *([0-9a-f]{8}) ", affect("trends", "--state", "alert").output, re.MULTILINE)[0]
    out = tmp_path / f"report{suffix}"

    affect("report", key, "--from", "2026-03-01", "--to", "2026-03-31", "--out", str(out))

    assert out.stat().st_size > 5_000
    assert affect("report", key, "--out", str(tmp_path / "report.docx")).exception is not None


def test_the_digest_is_printed_and_its_picture_written(affect: Affect, tmp_path: Path) -> None:
    printed = affect("digest", "--picture", str(tmp_path / "week.png")).output

    assert "week up to 1 Apr 2026" in printed
    assert (tmp_path / "week.png").read_bytes().startswith(b"\x89PNG")
