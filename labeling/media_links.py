"""Links under which a person's browser may load one item's image for a short while.

A browser that shows an image sends no key, so the link carries the right itself: which item, blurred or not, and until
when, signed with HMAC-SHA256. It names no file and no address, and the item is looked up anew each time: one that was
stopped or erased is gone under every link ever given. What is sent are pixels that Goldfold has decoded and encoded
again: no camera, place or author of the file comes along, and nothing but an image can.

A link in a task of Label Studio names the task instead (``TaskLink``): every member can read it there, and an item's
id would tell whether two tasks are about the same item. Its seal covers the address that it was given for, so that the
same token behind another server's name is told from a link of ours.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from dataclasses import dataclass
from datetime import UTC, datetime
from io import BytesIO

from PIL import Image, ImageFilter

from labeling.errors import InvalidInput, LinkRefused
from scoring.images import decode

MIN_SECRET = 32  # characters
REFUSED = "this link opens nothing, or not any more; ask for a new one"
BLUR_PIXELS = 24  # the longer side of what is left of a blurred image, so that no blur can be undone
SHOWN_PIXELS = 320  # the longer side it is shown at
MAX_PIXELS = 2048  # the longer side of a clear image
MIME = "image/webp"
TASK = "t."  # what a task link's token starts with; no other does
_ITEM_SEAL, _TASK_SEAL = b"goldfold-media-link\0", b"goldfold-task-link\0"


@dataclass(frozen=True, slots=True)
class MediaLink:
    """What a link opens: one item's image until ``until`` (whole seconds, UTC)."""

    item_id: str
    blurred: bool
    until: datetime


@dataclass(frozen=True, slots=True)
class TaskLink:
    """What a link in a task opens: the image of the task's item until ``until`` (whole seconds, UTC)."""

    task_id: str
    blurred: bool
    until: datetime


def sign(link: MediaLink, secret: str) -> str:
    """The link's token. Raises InvalidInput for a secret that could be guessed."""
    return _signed(_said(link.item_id, link.blurred, link.until), _ITEM_SEAL, secret)


def sign_task_link(link: TaskLink, base_url: str, secret: str) -> str:
    """The token of a task's link at ``base_url``. Raises InvalidInput as ``sign``."""
    return TASK + _signed(_said(link.task_id, link.blurred, link.until), _at(base_url), secret)


def read_task_link(token: str, base_url: str, secret: str) -> TaskLink | None:
    """What a task's token at ``base_url`` opens, or opened; None for one that we did not give for that address."""
    if not token.startswith(TASK):
        return None
    try:
        return TaskLink(*_read(token.removeprefix(TASK), _at(base_url), secret))
    except ValueError:
        return None


def open_task_link(token: str, base_url: str, secret: str, now: datetime) -> TaskLink:
    """The same, now. Raises LinkRefused as ``read_link``."""
    link = read_task_link(token, base_url, secret)
    if link is None or now >= link.until:
        raise LinkRefused(REFUSED)
    return link


def read_link(token: str, secret: str, now: datetime) -> MediaLink:
    """What a token opens. Raises LinkRefused: one sentence for every reason, as it helps nobody who is honest."""
    try:
        link = MediaLink(*_read(token, _ITEM_SEAL, secret))
    except ValueError as error:
        raise LinkRefused(REFUSED) from error
    if now >= link.until:
        raise LinkRefused(REFUSED)
    return link


def picture(content: bytes, *, blurred: bool) -> bytes:
    """A WebP of the image's first frame, upright, without metadata. Raises scoring.BadImage."""
    image = Image.fromarray(decode(content).frames[0])
    if blurred:
        image.thumbnail((BLUR_PIXELS, BLUR_PIXELS))
        scale = SHOWN_PIXELS / max(image.size)
        size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
        image = image.resize(size, Image.Resampling.BILINEAR).filter(ImageFilter.GaussianBlur(8))
    image.thumbnail((MAX_PIXELS, MAX_PIXELS))
    out = BytesIO()
    image.save(out, "WEBP", quality=85)
    return out.getvalue()


def _said(subject: str, blurred: bool, until: datetime) -> bytes:
    return f"{subject}|{int(blurred)}|{int(until.timestamp())}".encode()


def _at(base_url: str) -> bytes:
    return _TASK_SEAL + base_url.encode() + b"\0"


def _signed(said: bytes, purpose: bytes, secret: str) -> str:
    if len(secret) < MIN_SECRET:
        raise InvalidInput(f"media_link_secret: needs at least {MIN_SECRET} characters")
    return f"{_encoded(said)}.{_encoded(_seal(said, purpose, secret))}"


def _read(token: str, purpose: bytes, secret: str) -> tuple[str, bool, datetime]:
    """Subject, blurred, until. Raises ValueError for what is not signed by us for that purpose."""
    said, _, seal = token.partition(".")
    plain, given = _decoded(said), _decoded(seal)
    if len(secret) < MIN_SECRET or not hmac.compare_digest(given, _seal(plain, purpose, secret)):
        raise ValueError("not signed by us")
    subject, blurred, until = plain.decode().rsplit("|", 2)
    return subject, blurred == "1", datetime.fromtimestamp(int(until), UTC)


def _seal(said: bytes, purpose: bytes, secret: str) -> bytes:
    return hmac.new(secret.encode(), purpose + said, hashlib.sha256).digest()


def _encoded(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).decode().rstrip("=")


def _decoded(text: str) -> bytes:
    return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
