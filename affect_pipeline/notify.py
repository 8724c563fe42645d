"""Telling people: of new alerts, of a failed run, of a run that is late.

Off by default; ``AFFECT_NOTIFY_URLS`` names who is told, in Apprise's notation (e-mail, Slack, Teams,
webhooks). Messages leave the house: they hold pseudonyms, counts and dates, and nothing that says
how a patient is.
"""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from affect_pipeline.errors import SettingsError, UnavailableError
from affect_pipeline.settings import Settings, get_settings


@dataclass(frozen=True)
class Message:
    """What people are told.

    Parameters
    ----------
    title : str
        One line.
    body : str
        Plain text.
    picture : bytes, optional
        A PNG picture to go with it.
    """

    title: str
    body: str
    picture: bytes | None = None


class Notifier(Protocol):
    """Whoever can pass a message on."""

    def send(self, message: Message) -> None:
        """Pass a message on.

        Raises
        ------
        UnavailableError
            If it did not get through; it may be sent again.
        """
        ...


class Nobody:
    """A notifier that tells nobody: the default."""

    def send(self, message: Message) -> None:
        """Do nothing."""


@dataclass
class RecordingNotifier:
    """A notifier that keeps what it was given, for tests.

    Parameters
    ----------
    n_failures : int
        How many messages it refuses before it takes one.
    """

    n_failures: int = 0
    sent: list[Message] = field(default_factory=list)

    def send(self, message: Message) -> None:
        """Keep the message."""
        if self.n_failures:
            self.n_failures -= 1
            raise UnavailableError("the recording notifier", "AFFECT_NOTIFY_URLS", "told to fail")
        self.sent.append(message)


class AppriseNotifier:
    """A notifier that sends through Apprise.

    Parameters
    ----------
    urls : str
        Apprise URLs, comma-separated.

    Raises
    ------
    SettingsError
        If one of them is not an Apprise URL. The message does not hold it: such URLs carry passwords.
    """

    def __init__(self, urls: str) -> None:
        import apprise

        self._service = apprise.Apprise()
        for position, url in enumerate(urls.split(","), start=1):
            if url.strip() and not self._service.add(url.strip()):
                raise SettingsError(
                    f"AFFECT_NOTIFY_URLS: number {position} is not an Apprise URL; write for instance "
                    "mailtos://user:password@example.org?to=team@example.org"
                )

    def send(self, message: Message) -> None:
        """Send to every URL.

        Raises
        ------
        UnavailableError
            If one of them did not take it.
        """
        if not len(self._service):
            return
        with _attachment(message.picture) as attach:
            if not self._service.notify(body=message.body, title=message.title, attach=attach):
                raise UnavailableError("a notification service", "AFFECT_NOTIFY_URLS")


@contextmanager
def _attachment(picture: bytes | None) -> Iterator[str | None]:
    """Yield the path of the picture, which Apprise wants as a file; it is gone afterwards."""
    if picture is None:
        yield None
        return
    with tempfile.TemporaryDirectory(prefix="affect-") as folder:
        path = Path(folder) / "chart.png"
        path.write_bytes(picture)
        yield str(path)


def notifier_of(settings: Settings) -> Notifier:
    """Return the notifier that the settings name."""
    return AppriseNotifier(settings.notify_urls) if settings.notify_urls else Nobody()


async def deadline_missed(**_: Any) -> None:
    """Tell people that a nightly run is late; called by Airflow's triggerer."""
    settings = get_settings()
    message = Message(
        "Nightly voice monitoring is late",
        f"A nightly run is not done after {settings.nightly_deadline_minutes} minutes: its alerts are not complete.",
    )
    # Sending may wait on a mail server, and the triggerer's event loop must not.
    await asyncio.to_thread(notifier_of(settings).send, message)
