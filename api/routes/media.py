"""An item's image under a signed link: /media. The link is the key, so the route asks for no other.

A link in a task of Label Studio shows what the task is about and nothing else: bytes that are not those that were
picked, and a task that was withdrawn, are shown to nobody."""

from __future__ import annotations

from datetime import UTC, datetime
from hashlib import sha256

from fastapi import APIRouter, Response

from api.composition import Goldfold
from api.problems import documented
from api.routes.state import TheGoldfold
from labeling.errors import LinkRefused
from labeling.media_links import MIME, REFUSED, TASK, open_task_link, picture, read_link
from labeling.records import TaskState

router = APIRouter(prefix="/media", tags=["media"], responses=documented(401, 503))

HEADERS = {
    "Cache-Control": "no-store",  # neither the browser nor a proxy keeps what may be harmful
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'; sandbox",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "cross-origin",  # Label Studio lies at another origin,
    "Access-Control-Allow-Origin": "*",  # and its form reads the image by script; no cookie or key is ever sent along
}


@router.get("/{token}", response_class=Response)
def get_media(goldfold: TheGoldfold, token: str) -> Response:
    """The image as WebP, decoded and encoded anew, so without metadata; a link of a blurred one gives a blurred one."""
    item_id, blurred, picked = _opened(goldfold, token)
    known = goldfold.ledger.items.by_id([item_id]).get(item_id)
    if known is None or known.modality != "image":
        raise LinkRefused(REFUSED)
    media = goldfold.lake.take([item_id], ["media"]).column("media").to_pylist()[0]
    content = goldfold.media.read(media)
    if picked and sha256(content).hexdigest() != picked:
        raise LinkRefused("the image is not the one that was picked; put that file back")
    return Response(picture(content, blurred=blurred), media_type=MIME, headers=HEADERS)


def _opened(goldfold: Goldfold, token: str) -> tuple[str, bool, str]:
    """What a token opens: item, blurred or not, and the hash of the bytes that it is about ("": whatever they are).
    Raises LinkRefused."""
    settings, now = goldfold.settings, datetime.now(UTC)
    secret = settings.media_link_secret.get_secret_value()
    if not token.startswith(TASK):
        link = read_link(token, secret, now)
        return link.item_id, link.blurred, ""
    given = open_task_link(token, settings.public_url, secret, now)
    task = goldfold.ledger.tasks.find([given.task_id]).get(given.task_id)
    if task is None or task.state is TaskState.WITHDRAWN:
        raise LinkRefused(REFUSED)
    return task.item_id, given.blurred, task.content_hash
