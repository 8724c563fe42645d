"""The commands beside the web service."""

from __future__ import annotations

import base64
import http.server
import json
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text
from typer.testing import CliRunner, Result

from affect_pipeline.cli import build
from affect_pipeline.cli.serve import welcome
from affect_pipeline.serving.people import end_access, find_by_login, find_by_token
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


@contextmanager
def webhook() -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """Run a web server that keeps what is posted to it; yield its Apprise URL and the posts."""
    posted: list[dict[str, Any]] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            posted.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Stay quiet."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"json://127.0.0.1:{server.server_port}/team", posted
        server.shutdown()


def test_the_digest_is_sent_with_the_chart_as_a_picture(affect: Affect, monkeypatch: pytest.MonkeyPatch) -> None:
    with webhook() as (url, posted):
        monkeypatch.setenv("AFFECT_NOTIFY_URLS", url)
        get_settings.cache_clear()
        sent = affect("digest", "--send", "--as", "nora")

    assert sent.exit_code == 0, sent.output
    [post] = posted
    assert post["title"] == "Voice journals: week up to 1 Apr 2026"
    assert "The dashboard says why." in post["message"]
    [picture] = post["attachments"]
    assert picture["mimetype"] == "image/png"
    assert base64.b64decode(picture["base64"]).startswith(b"\x89PNG")


def test_a_digest_for_nobody_is_an_error_and_not_a_success(affect: Affect, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AFFECT_NOTIFY_URLS", raising=False)
    get_settings.cache_clear()

    assert "AFFECT_NOTIFY_URLS is empty" in str(affect("digest", "--send").exception)


def test_the_first_visitor_on_this_machine_is_let_in(own_world: World, capsys: pytest.CaptureFixture[str]) -> None:
    with own_world.database.engine.begin() as connection:
        connection.execute(text("DELETE FROM affect.people"))

    welcome(own_world.database, "127.0.0.1", 8000)

    printed = capsys.readouterr().out
    assert "http://127.0.0.1:8000/dashboard" in printed
    [token] = re.findall(r"affect_[\w-]{40,}", printed)
    person = find_by_token(own_world.database, token_digest(token))
    assert person is not None
    assert (person.login, person.role) == ("developer", "admin")


def test_nobody_is_let_in_by_itself_where_others_can_reach_the_service(
    own_world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    with own_world.database.engine.begin() as connection:
        connection.execute(text("DELETE FROM affect.people"))

    welcome(own_world.database, "0.0.0.0", 8000)

    assert "affect people add" in capsys.readouterr().out
    assert find_by_login(own_world.database, "developer") is None


def test_where_people_have_access_no_token_is_printed(own_world: World, capsys: pytest.CaptureFixture[str]) -> None:
    end_access(own_world.database, "sam")

    welcome(own_world.database, "::1", 8000)

    printed = capsys.readouterr().out
    assert "http://[::1]:8000/dashboard" in printed
    assert "affect people token" in printed
    assert "affect_" not in printed
