"""Telling people: nobody by default, through Apprise if asked, and never silently failing."""

from __future__ import annotations

import http.server
import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest

from affect_pipeline.errors import SettingsError, UnavailableError
from affect_pipeline.notify import AppriseNotifier, Message, Nobody, RecordingNotifier, notifier_of
from affect_pipeline.settings import Settings

MESSAGE = Message("Voice monitoring: 1 new alert", "- patient 0123456789ab: high")


@dataclass
class Webhook:
    """A web server that keeps what is posted to it, and answers with a status of our choice."""

    status: int = 200
    posted: list[dict[str, str]] = field(default_factory=list)
    url: str = ""


@pytest.fixture
def webhook() -> Iterator[Webhook]:
    hook = Webhook()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            hook.posted.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(hook.status)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Stay quiet."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        hook.url = f"json://127.0.0.1:{server.server_port}"
        yield hook
        server.shutdown()


def test_nobody_is_told_unless_the_settings_name_somebody(settings: Settings) -> None:
    assert isinstance(notifier_of(settings), Nobody)
    assert isinstance(notifier_of(settings.model_copy(update={"notify_urls": "json://localhost"})), AppriseNotifier)


def test_a_message_reaches_every_url(webhook: Webhook) -> None:
    AppriseNotifier(f"{webhook.url}/nurses, {webhook.url}/counselors").send(MESSAGE)

    assert [(post["title"], post["message"]) for post in webhook.posted] == [(MESSAGE.title, MESSAGE.body)] * 2


def test_a_service_that_refuses_is_an_error_that_names_the_setting(webhook: Webhook) -> None:
    webhook.status = 500

    with pytest.raises(UnavailableError, match="AFFECT_NOTIFY_URLS"):
        AppriseNotifier(webhook.url).send(MESSAGE)


def test_a_url_that_is_none_is_refused_without_being_shown() -> None:
    with pytest.raises(SettingsError, match="number 2 is not an Apprise URL") as caught:
        AppriseNotifier("json://localhost,nosuch://ann:hunter2@example.org")

    assert "hunter2" not in str(caught.value)


def test_the_fake_keeps_messages_and_fails_as_often_as_told() -> None:
    fake = RecordingNotifier(n_failures=1)
    with pytest.raises(UnavailableError):
        fake.send(MESSAGE)

    fake.send(MESSAGE)

    assert fake.sent == [MESSAGE]
