"""An item's image under a signed link: /media. The link is the key, so the route asks for no other."""

from __future__ import annotations

from datetime import UTC, datetime

from fastapi import APIRouter, Response

from api.problems import documented
from api.routes.state import TheGoldfold
from labeling.errors import LinkRefused
from labeling.media_links import MIME, picture, read_link

router = APIRouter(prefix="/media", tags=["media"], responses=documented(401, 503))

HEADERS = {
    "Cache-Control": "no-store",  # neither the browser nor a proxy keeps what may be harmful
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'; sandbox",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "cross-origin",  # Label Studio lies at another origin
}


@router.get("/{token}", response_class=Response)
def get_media(goldfold: TheGoldfold, token: str) -> Response:
    """The image as WebP, decoded and encoded anew, so without metadata; a link of a blurred one gives a blurred one."""
    secret = goldfold.settings.media_link_secret.get_secret_value()
    link = read_link(token, secret, datetime.now(UTC))
    known = goldfold.ledger.items.by_id([link.item_id]).get(link.item_id)
    if known is None or known.modality != "image":
        raise LinkRefused("this link opens nothing, or not any more; ask for a new one")
    media = goldfold.lake.take([link.item_id], ["media"]).column("media").to_pylist()[0]
    content = picture(goldfold.media.read(media), blurred=link.blurred)
    return Response(content, media_type=MIME, headers=HEADERS)
