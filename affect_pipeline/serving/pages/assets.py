"""Scripts and styles. Vega comes out of the installed ``vl-convert-python``; nothing is copied or fetched."""

from __future__ import annotations

import gzip
import hashlib
from functools import lru_cache
from importlib.metadata import version

from fastapi import APIRouter, Request, Response

router = APIRouter()
FOREVER = "public, max-age=31536000, immutable"


@router.get("/assets/vega.js", name="vega_script")
def vega_script(request: Request) -> Response:
    """Serve Vega, Vega-Lite and Vega-Embed as one script."""
    content, packed, etag = vega_bundle()
    headers = {"ETag": etag, "Cache-Control": FOREVER, "Vary": "Accept-Encoding"}
    if request.headers.get("if-none-match") == etag:
        return Response(status_code=304, headers=headers)
    if "gzip" in request.headers.get("accept-encoding", ""):
        return Response(packed, headers={**headers, "Content-Encoding": "gzip"}, media_type="text/javascript")
    return Response(content, headers=headers, media_type="text/javascript")


@lru_cache(maxsize=1)
def vega_bundle() -> tuple[bytes, bytes, str]:
    """Return the bundle, the same compressed, and its ETag."""
    import vl_convert

    content = vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;").encode()
    return content, gzip.compress(content, 6, mtime=0), f'"{hashlib.sha256(content).hexdigest()[:32]}"'


@lru_cache(maxsize=1)
def vega_version() -> str:
    """Return a word that changes when the bundle does, for its address."""
    import vl_convert

    return f"{vl_convert.get_vega_version()}-{version('vl-convert-python')}"
