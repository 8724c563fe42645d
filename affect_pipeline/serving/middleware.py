"""What holds for every answer: security headers, and a limit on what is read.

Both are plain ASGI middleware, so that a streamed answer stays a stream and an upload that is too
large is refused before its body is read.
"""

from __future__ import annotations

import json
from collections.abc import Sequence

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from affect_pipeline.serving.problems import MEDIA_TYPE, Problem

HEADERS = {
    b"x-content-type-options": b"nosniff",
    b"referrer-policy": b"same-origin",
    b"cross-origin-opener-policy": b"same-origin",
    b"cross-origin-resource-policy": b"same-origin",
    b"permissions-policy": b"camera=(), geolocation=(), payment=(), microphone=(self)",
}


def content_security_policy(frame_ancestors: str) -> str:
    """Return the Content-Security-Policy: everything from here, nothing inline, nothing evaluated.

    Parameters
    ----------
    frame_ancestors : str
        Who may show our pages in a frame: ``'none'``, or ``'self'`` inside Airflow.
    """
    return (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; "
        "connect-src 'self'; font-src 'self'; form-action 'self'; base-uri 'none'; "
        f"frame-ancestors {frame_ancestors}"
    )


class SecurityHeaders:
    """Adds security headers; pages and data are never cached by anyone but the browser that asked.

    Parameters
    ----------
    app : ASGIApp
        The application inside.
    frame_ancestors : str
        Who may show our pages in a frame.
    """

    def __init__(self, app: ASGIApp, frame_ancestors: str = "'none'") -> None:
        self.app = app
        policy = content_security_policy(frame_ancestors).encode()
        self.headers = [*HEADERS.items(), (b"content-security-policy", policy)]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, and add the headers to the answer."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                there = {name.lower() for name, _ in message["headers"]}
                extra = [*self.headers, (b"cache-control", b"private, no-cache")]
                message["headers"] = [*message["headers"], *(pair for pair in extra if pair[0] not in there)]
            await send(message)

        await self.app(scope, receive, send_with_headers)


class BodyLimit:
    """Refuses a request body that is too large, by its announced length or, without one, as it comes in.

    Parameters
    ----------
    app : ASGIApp
        The application inside.
    default_bytes : int
        Limit of an ordinary body.
    upload_bytes : int
        Limit of the routes that take recordings.
    upload_paths : Sequence[str]
        The ends of the paths that take recordings.
    """

    def __init__(self, app: ASGIApp, default_bytes: int, upload_bytes: int, upload_paths: Sequence[str]) -> None:
        self.app = app
        self.default_bytes, self.upload_bytes, self.upload_paths = default_bytes, upload_bytes, tuple(upload_paths)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on if its body is small enough, and count what comes in."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        limit = self.upload_bytes if scope["path"].endswith(self.upload_paths) else self.default_bytes
        announced = dict(scope["headers"]).get(b"content-length", b"0")
        if not announced.isdigit() or int(announced) > limit:
            await _refuse(too_large(limit), send)
            return
        n_read = 0

        async def counted() -> Message:
            nonlocal n_read
            message = await receive()
            n_read += len(message.get("body", b""))
            if n_read > limit:
                raise too_large(limit)
            return message

        await self.app(scope, counted, send)


def too_large(limit_bytes: int) -> Problem:
    """Return the answer to a body that is larger than the limit."""
    detail = f"At most {limit_bytes / 1e6:g} MB can be sent in one request."
    return Problem(413, "too-large", "The request body is too large", detail, reason="too_large")


async def _refuse(problem: Problem, send: Send) -> None:
    body = json.dumps(problem.body()).encode()
    headers = [
        (b"content-type", MEDIA_TYPE.encode()),
        (b"content-length", str(len(body)).encode()),
        (b"connection", b"close"),
    ]
    await send({"type": "http.response.start", "status": problem.status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
