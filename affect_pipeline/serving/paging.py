"""Pages of long lists, and answers that need not be sent twice."""

from __future__ import annotations

import base64
import hashlib
import json
from typing import Any

from fastapi import Request, Response
from pydantic_core import to_json

from affect_pipeline.serving.problems import Problem


def encode_cursor(values: list[Any]) -> str:
    """Return an opaque mark of the last row of a page, from its sort keys."""
    return base64.urlsafe_b64encode(to_json(values)).decode().rstrip("=")


def decode_cursor(cursor: str | None, types: tuple[type, ...]) -> list[Any] | None:
    """Read a mark made by `encode_cursor`.

    Parameters
    ----------
    cursor : str or None
        The mark; None stands for the first page.
    types : tuple of type
        The type of each sort key.

    Raises
    ------
    Problem
        422 if the mark is not one of ours.
    """
    if cursor is None:
        return None
    try:
        values = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    except (ValueError, RecursionError):  # also bad base 64
        values = None
    if not isinstance(values, list) or [type(value) for value in values] != list(types):
        detail = "`cursor` must be the `next_cursor` of an earlier page."
        raise Problem(422, "invalid-request", "The request is not valid", detail)
    return values


def answer(request: Request, content: Any) -> Response:
    """Return JSON with a strong ETag, or 304 if the client already has it.

    Parameters
    ----------
    request : Request
        The request; its ``If-None-Match`` is honoured.
    content : object
        Anything pydantic can encode; a number that is not finite becomes null.
    """
    body = to_json(content, inf_nan_mode="null")
    etag = f'"{hashlib.sha256(body).hexdigest()[:32]}"'
    headers = {"ETag": etag, "Vary": "Cookie, Authorization"}
    known = [tag.strip().removeprefix("W/") for tag in request.headers.get("if-none-match", "").split(",")]
    if etag in known or known == ["*"]:
        return Response(status_code=304, headers=headers)
    return Response(body, headers=headers, media_type="application/json")


NOT_MODIFIED: dict[int | str, dict[str, Any]] = {304: {"description": "Unchanged since the ETag that was sent"}}
