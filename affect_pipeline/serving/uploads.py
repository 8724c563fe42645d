"""Reading one uploaded recording into memory, within limits."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any

from fastapi import Request
from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser

from affect_pipeline.serving.problems import Problem

FIELD = "file"
MAX_FIELDS = 20
MAX_FIELD_BYTES = 65_536
SUFFIXES = frozenset({".wav", ".flac", ".ogg", ".opus", ".mp3", ".m4a", ".webm"})


@dataclass(frozen=True)
class Upload:
    """A recording that was sent to us.

    Parameters
    ----------
    content : bytes
        The file, whole.
    suffix : str
        A suffix out of `SUFFIXES`, or ``""``. The client's file name is used for nothing else.
    fields : dict
        The other form fields.
    """

    content: bytes
    suffix: str
    fields: dict[str, str] = field(default_factory=dict)


class _InMemoryParser(MultiPartParser):
    """A multipart parser that never writes a file."""

    spool_max_size = 2**62


async def read_upload(request: Request) -> Upload:
    """Read the multipart field ``file`` of a request into memory.

    The middleware `BodyLimit` bounds what is read.

    Parameters
    ----------
    request : Request
        A ``multipart/form-data`` request.

    Raises
    ------
    Problem
        415 if the body is of another type, 422 if it is broken or has no single file named ``file``.
    """
    if not request.headers.get("content-type", "").startswith("multipart/form-data"):
        raise Problem(415, "wrong-media-type", "The body is of the wrong type", "Send multipart/form-data.")
    parser = _InMemoryParser(
        request.headers, _stream(request), max_files=1, max_fields=MAX_FIELDS, max_part_size=MAX_FIELD_BYTES
    )
    try:
        form = await parser.parse()
    except (MultiPartException, KeyError, ValueError, AttributeError) as error:
        detail = getattr(error, "message", "The body is not valid multipart/form-data.")
        raise Problem(422, "invalid-request", "The request is not valid", str(detail)) from None
    try:
        file = form.get(FIELD)
        if not isinstance(file, UploadFile):
            detail = f"Send the recording as the form field `{FIELD}`, with a file name."
            raise Problem(422, "invalid-request", "The request is not valid", detail, reason="file_missing")
        suffix = PurePosixPath(file.filename or "").suffix.lower()
        fields = {name: value for name, value in form.items() if isinstance(value, str)}
        return Upload(await file.read(), suffix if suffix in SUFFIXES else "", fields)
    finally:
        await form.close()


async def _stream(request: Request) -> AsyncGenerator[bytes, None]:
    async for chunk in request.stream():
        yield chunk


def request_body(extra: dict[str, Any] | None = None, required: tuple[str, ...] = ()) -> dict[str, Any]:
    """Return the OpenAPI description of an upload, for ``openapi_extra``.

    Parameters
    ----------
    extra : dict, optional
        JSON schemas of further form fields.
    required : tuple of str
        Which of them must be there.
    """
    file = {"type": "string", "format": "binary", "description": "wav, flac, ogg, opus, mp3; m4a and webm with ffmpeg"}
    schema = {"type": "object", "required": [FIELD, *required], "properties": {FIELD: file, **(extra or {})}}
    return {"requestBody": {"required": True, "content": {"multipart/form-data": {"schema": schema}}}}
