"""What pages load beside themselves: /console/static. Open: there is nothing of anybody's in it."""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import Response

from api.console.assets import HASH_CHARS, asset
from labeling.errors import NotFound

router = APIRouter()
FOR_EVER = "public, max-age=31536000, immutable"


@router.get("/static/{sha256}/{name}")
def send(request: Request, sha256: str, name: str) -> Response:
    """A file under its hash, packed where the browser takes it."""
    found = asset(name)
    if sha256 != found.sha256[:HASH_CHARS]:
        raise NotFound(f"{name} is another one by now: load the page again")
    headers = {"Cache-Control": FOR_EVER, "Vary": "Accept-Encoding"}
    if "gzip" in request.headers.get("accept-encoding", ""):
        return Response(found.packed, media_type=found.media_type, headers={**headers, "Content-Encoding": "gzip"})
    return Response(found.plain, media_type=found.media_type, headers=headers)
