from __future__ import annotations

from datetime import UTC, datetime, timedelta
from io import BytesIO

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from labeling.errors import InvalidInput, LinkRefused
from labeling.media_links import MAX_PIXELS, MediaLink, picture, read_link, sign
from scoring.errors import BadImage
from tests.scoring.pictures import encoded, noise

SECRET = "s" * 32
NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
LINK = MediaLink("it_0123", False, NOW + timedelta(minutes=15))


@given(st.text(min_size=1, max_size=40), st.booleans(), st.integers(1, 10**6))
def test_what_was_signed_is_read_until_it_runs_out(item_id: str, blurred: bool, seconds: int) -> None:
    link = MediaLink(item_id, blurred, NOW + timedelta(seconds=seconds))
    token = sign(link, SECRET)
    assert read_link(token, SECRET, NOW) == link
    with pytest.raises(LinkRefused):
        read_link(token, SECRET, link.until)


@given(st.text(max_size=80))
def test_no_other_token_opens_anything(token: str) -> None:
    with pytest.raises(LinkRefused):
        read_link(token, SECRET, NOW)


@given(st.data())
def test_a_token_with_one_letter_changed_opens_nothing(data: st.DataObject) -> None:
    token = sign(LINK, SECRET)
    at = data.draw(st.integers(0, len(token) - 1))
    letter = data.draw(st.sampled_from("ABCabc019-_.").filter(lambda each: each != token[at]))
    changed = token[:at] + letter + token[at + 1 :]
    try:
        opened = read_link(changed, SECRET, NOW)
    except LinkRefused:
        return
    assert opened == LINK  # base64 leaves bits of a last letter unread; what they say is the same


def test_another_secret_or_none_opens_nothing() -> None:
    token = sign(LINK, SECRET)
    for other in ("t" * 32, ""):
        with pytest.raises(LinkRefused):
            read_link(token, other, NOW)
    with pytest.raises(InvalidInput, match="media_link_secret"):
        sign(LINK, "short")


def shown(content: bytes) -> Image.Image:
    image = Image.open(BytesIO(content))
    image.load()
    return image


def test_neither_place_nor_camera_comes_along_and_the_picture_stands_upright() -> None:
    image = Image.new("RGB", (60, 40), "red")
    exif = Image.Exif()
    exif[0x0112] = 6  # turned by 90 degrees
    exif[0x010F] = "A camera"
    exif.get_ifd(0x8825)[1] = "N"
    content = picture(encoded(image, "JPEG", exif=exif), blurred=False)
    made = shown(content)
    assert (made.format, made.size, len(made.getexif())) == ("WEBP", (40, 60), 0)
    assert b"camera" not in content
    assert not {"exif", "icc_profile", "xmp"} & made.info.keys()


def test_a_blurred_picture_is_the_same_whatever_its_details_are() -> None:
    board = (np.indices((480, 480)).sum(axis=0) % 2 * 255).astype(np.uint8)
    other = np.where(board == 0, 255, 0).astype(np.uint8)
    made = [
        np.asarray(shown(picture(encoded(Image.fromarray(each)), blurred=True)).convert("L")) for each in (board, other)
    ]
    assert np.abs(made[0].astype(int) - made[1].astype(int)).max() < 8
    assert shown(picture(encoded(noise(1, (600, 300))), blurred=True)).size == (320, 160)


def test_a_large_picture_is_made_smaller_and_what_is_none_is_refused() -> None:
    assert max(shown(picture(encoded(Image.new("RGB", (3000, 100))), blurred=False)).size) == MAX_PIXELS
    with pytest.raises(BadImage):
        picture(b"<svg onload=alert(1)>", blurred=False)
