"""Speaking with a FHIR server: one POST a bundle, tried again when it may help, errors in the server's own words.

A bundle of conditional updates may be sent again at any time, so a connection that broke after the server had done its
work costs nothing but the second request.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from ipaddress import ip_address
from types import TracebackType
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit, urlunsplit

from affect_pipeline.errors import AffectError, SettingsError, UnavailableError
from affect_pipeline.interop.bundles import encode
from affect_pipeline.interop.codes import JsonObject
from affect_pipeline.settings import Settings

if TYPE_CHECKING:
    import httpx

FHIR_JSON = "application/fhir+json"
RETRIED = frozenset({408, 425, 429, 500, 502, 503, 504})
MAX_DETAIL = 300
MAX_ISSUES = 3


class FhirServerUnavailable(UnavailableError):
    """The FHIR server cannot be reached, or says that it cannot work now."""


class FhirRefused(AffectError):
    """The FHIR server understood the request and will not do it: sending it again does not help."""


@dataclass(frozen=True)
class Patience:
    """How long a server is waited for.

    Parameters
    ----------
    n_tries : int
        How often one bundle is sent at most.
    first_wait_s : float
        Wait after the first failure; each further one is twice as long.
    longest_wait_s : float
        No wait is longer, whatever the server asks for: then it is given up for this time.
    timeout_s : float
        Wait for an answer.
    total_s : float
        Time for all bundles together, from when the client was made.
    """

    n_tries: int = 4
    first_wait_s: float = 1.0
    longest_wait_s: float = 30.0
    timeout_s: float = 60.0
    total_s: float = math.inf


class FhirClient:
    """A connection to one FHIR server.

    Parameters
    ----------
    url : str
        Base URL of the server.
    token : str, optional
        Sent as ``Authorization: Bearer``; never shown.
    patience : Patience
        How long it is waited for.
    sleep : callable
        Waits for some seconds.

    Raises
    ------
    SettingsError
        If the URL is not one of http(s), holds a password, or would send patients' data over a network unencrypted.
    """

    def __init__(
        self,
        url: str,
        token: str | None = None,
        patience: Patience | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        import httpx

        self.url = server_address(url)
        self.patience = patience or Patience()
        self._sleep = sleep
        self._until = time.monotonic() + self.patience.total_s
        headers = {"Accept": FHIR_JSON, "Content-Type": FHIR_JSON, "Prefer": "return=minimal"}
        if token:
            if not (token.isascii() and token.isprintable()):
                raise SettingsError("the token of the FHIR server holds characters that no HTTP header may hold")
            headers["Authorization"] = f"Bearer {token}"
        # No redirects: they could carry the token and the data to somebody else.
        self._http = httpx.Client(headers=headers, timeout=self.patience.timeout_s, follow_redirects=False)

    def __enter__(self) -> FhirClient:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._http.close()

    def transact(self, bundle: JsonObject) -> None:
        """Have a transaction bundle done.

        Raises
        ------
        FhirServerUnavailable
            If the server did not answer, or was still busy at the last try.
        FhirRefused
            If it will not do it; says what its OperationOutcome says.
        """
        content = encode(bundle)
        if time.monotonic() > self._until:
            raise FhirServerUnavailable(f"the FHIR server at {self.url}", "AFFECT_FHIR_URL", "it took too long")
        for number in range(self.patience.n_tries):
            answer, problem = self._post(content)
            if answer is not None and answer.status_code not in RETRIED:
                return self._judge(answer)
            wait = self._wait(answer, number)
            if number + 1 == self.patience.n_tries or wait > self.patience.longest_wait_s:
                break
            self._sleep(wait)
        raise FhirServerUnavailable(f"the FHIR server at {self.url}", "AFFECT_FHIR_URL", problem)

    def _post(self, content: bytes) -> tuple[httpx.Response | None, str]:
        import httpx

        try:
            answer = self._http.post(self.url, content=content)
        except httpx.HTTPError as error:
            return None, type(error).__name__
        return answer, f"it answered {_words(answer)}"

    def _wait(self, answer: httpx.Response | None, number: int) -> float:
        asked = _retry_after_s(answer.headers.get("Retry-After")) if answer is not None else None
        doubled: float = self.patience.first_wait_s * 2**number
        return max(asked or 0.0, min(doubled, self.patience.longest_wait_s))

    def _judge(self, answer: httpx.Response) -> None:
        if not answer.is_success:
            raise FhirRefused(f"the FHIR server at {self.url} refused: {_words(answer)}")
        try:
            done = answer.json() if answer.content else {}
        except ValueError:
            done = None
        if not isinstance(done, dict):
            raise FhirRefused(f"what answered at {self.url} is no FHIR server: its answer is not a FHIR resource")


def client_of(settings: Settings, patience: Patience | None = None) -> FhirClient:
    """Return a client for the server that the settings name.

    Raises
    ------
    SettingsError
        If none is named, or its URL or token cannot be used.
    """
    if not settings.fhir_url:
        raise SettingsError("AFFECT_FHIR_URL is empty: name the base URL of a FHIR R4 server")
    return FhirClient(settings.fhir_url, settings.bearer_token(), patience)


def server_address(url: str) -> str:
    """Return the base URL of a server as it is remembered and shown.

    Raises
    ------
    SettingsError
        If it cannot be used; never shows it.
    """
    try:
        parts = urlsplit(url)
        host = parts.hostname
    except ValueError:
        parts, host = urlsplit(""), None
    if parts.scheme not in ("http", "https") or not host or parts.query or parts.fragment:
        raise SettingsError("AFFECT_FHIR_URL must look like https://fhir.example.org/r4")
    if parts.username or parts.password:
        raise SettingsError("AFFECT_FHIR_URL holds a password; give a token by AFFECT_FHIR_TOKEN or its file instead")
    if parts.scheme == "http" and not _is_this_machine(host):
        raise SettingsError("AFFECT_FHIR_URL must begin with https: patients' data would cross a network unencrypted")
    return urlunsplit((parts.scheme, parts.netloc, parts.path.rstrip("/"), "", ""))


def _is_this_machine(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _retry_after_s(value: str | None) -> float | None:
    """Return how long a server asks to be left alone: seconds, or until a date."""
    if value is None:
        return None
    if value.strip().isdecimal():
        return float(value)
    try:
        return max(0.0, (parsedate_to_datetime(value) - datetime.now(UTC)).total_seconds())
    except (ValueError, TypeError):
        return None


def _words(answer: httpx.Response) -> str:
    """Return status and what an OperationOutcome says, made short: it may repeat what was sent."""
    status = f"{answer.status_code} {answer.reason_phrase}".strip()
    try:
        outcome: Any = answer.json()
    except ValueError:
        return status
    issues = outcome.get("issue") if isinstance(outcome, dict) else None
    said = (
        [_issue(issue) for issue in issues[:MAX_ISSUES] if isinstance(issue, dict)] if isinstance(issues, list) else []
    )
    return f"{status}: {'; '.join(said)}"[:MAX_DETAIL] if said else status


def _issue(issue: dict[str, Any]) -> str:
    details = issue.get("details")
    text = details.get("text") if isinstance(details, dict) else None
    return " ".join(str(part) for part in (issue.get("code"), issue.get("diagnostics") or text) if part)
