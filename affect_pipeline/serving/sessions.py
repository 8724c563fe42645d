"""Signed session cookies and the tokens that guard forms against cross-site requests."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
from dataclasses import dataclass
from urllib.parse import urlsplit

from starlette.requests import HTTPConnection

from affect_pipeline.serving.problems import Problem, forbidden

COOKIE = "affect_session"
CSRF_FIELD = "csrf_token"
CSRF_HEADER = "x-csrf-token"
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})


@dataclass(frozen=True)
class Session:
    """Who logged in, with which access token, and when.

    Parameters
    ----------
    person_id : str
        The person.
    token_id : str
        Digest of the access token: when the token is withdrawn, so is the session.
    issued_at_s : int
        Unix time of the login, in seconds.
    """

    person_id: str
    token_id: str
    issued_at_s: int


class SessionSigner:
    """Makes and reads session cookies.

    Parameters
    ----------
    secret : bytes
        The installation's secret; the signing key is derived from it.
    max_age_s : int
        How long a session lasts, in seconds.
    """

    def __init__(self, secret: bytes, max_age_s: int) -> None:
        self._key = hmac.digest(secret, b"affect-pipeline session cookie 1", "sha256")
        self.max_age_s = max_age_s

    def write(self, session: Session) -> str:
        """Return the value of the cookie."""
        payload = _encode(json.dumps([session.person_id, session.token_id, session.issued_at_s]).encode())
        return f"{payload}.{self._sign(payload)}"

    def read(self, cookie: str, now_s: float) -> Session | None:
        """Return the session of a cookie, or None if it is not ours or has run out.

        Parameters
        ----------
        cookie : str
            The value of the cookie.
        now_s : float
            Unix time, in seconds.
        """
        payload, _, signature = cookie.partition(".")
        if not hmac.compare_digest(signature.encode(), self._sign(payload).encode()):
            return None
        try:
            session = Session(*json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4))))
        except (ValueError, TypeError, binascii.Error):
            return None
        return session if 0 <= now_s - session.issued_at_s <= self.max_age_s else None

    def csrf_token(self, session_id: str) -> str:
        """Return the token that forms of this session carry."""
        return self._sign(f"csrf:{session_id}")

    def _sign(self, text: str) -> str:
        return _encode(hmac.digest(self._key, text.encode(), "sha256"))


def token_digest(token: str) -> str:
    """Return what is stored of an access token: tokens are random, so one SHA-256 is enough."""
    return hashlib.sha256(token.encode()).hexdigest()


def check_same_origin(connection: HTTPConnection) -> None:
    """Refuse a request that another site made the browser send.

    Raises
    ------
    Problem
        403, by ``Sec-Fetch-Site``, or by ``Origin`` for browsers and WebSockets without it.
    """
    site = connection.headers.get("sec-fetch-site")
    origin = connection.headers.get("origin")
    foreign = site not in (None, "same-origin", "none")
    if site is None and origin is not None:
        foreign = urlsplit(origin).netloc != connection.headers.get("host")
    if foreign:
        raise forbidden("The request came from another site.")


def check_csrf(sent: str | None, expected: str) -> None:
    """Refuse a form without its token.

    Raises
    ------
    Problem
        403 if the token is missing or another session's.
    """
    if not hmac.compare_digest((sent or "").encode(), expected.encode()):
        raise Problem(403, "csrf", "The form is out of date", "Reload the page and send it again.")


def _encode(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")
