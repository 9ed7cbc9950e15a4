"""Links under which a person's browser may load one item's image for a short while.

A browser that shows an image sends no key, so the link carries the right itself: which item, blurred or not, and until
when, signed with HMAC-SHA256. It names no file and no address, and the item is looked up anew each time: one that was
stopped or erased is gone under every link ever given. What is sent are pixels that Goldfold has decoded and encoded
again: no camera, place or author of the file comes along, and nothing but an image can.
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
BLUR_PIXELS = 24  # the longer side of what is left of a blurred image, so that no blur can be undone
SHOWN_PIXELS = 320  # the longer side it is shown at
MAX_PIXELS = 2048  # the longer side of a clear image
MIME = "image/webp"


@dataclass(frozen=True, slots=True)
class MediaLink:
    """What a link opens: one item's image until ``until`` (whole seconds, UTC)."""

    item_id: str
    blurred: bool
    until: datetime


def sign(link: MediaLink, secret: str) -> str:
    """The link's token. Raises InvalidInput for a secret that could be guessed."""
    if len(secret) < MIN_SECRET:
        raise InvalidInput(f"media_link_secret: needs at least {MIN_SECRET} characters")
    said = f"{link.item_id}|{int(link.blurred)}|{int(link.until.timestamp())}".encode()
    return f"{_encoded(said)}.{_encoded(_seal(said, secret))}"


def read_link(token: str, secret: str, now: datetime) -> MediaLink:
    """What a token opens. Raises LinkRefused: one sentence for every reason, as it helps nobody who is honest."""
    said, _, seal = token.partition(".")
    try:
        plain, given = _decoded(said), _decoded(seal)
        if len(secret) < MIN_SECRET or not hmac.compare_digest(given, _seal(plain, secret)):
            raise ValueError("not signed by us")
        item_id, blurred, until = plain.decode().rsplit("|", 2)
        link = MediaLink(item_id, blurred == "1", datetime.fromtimestamp(int(until), UTC))
    except ValueError as error:
        raise LinkRefused("this link opens nothing, or not any more; ask for a new one") from error
    if now >= link.until:
        raise LinkRefused("this link opens nothing, or not any more; ask for a new one")
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


def _seal(said: bytes, secret: str) -> bytes:
    return hmac.new(secret.encode(), b"goldfold-media-link\0" + said, hashlib.sha256).digest()


def _encoded(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).decode().rstrip("=")


def _decoded(text: str) -> bytes:
    return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
