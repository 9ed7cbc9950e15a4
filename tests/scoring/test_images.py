"""Image files from outside: what is read, and what is refused before it does harm."""

from __future__ import annotations

import struct
import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from scoring.errors import BadImage
from scoring.images import Limits, decode
from tests.scoring.pictures import animation, encoded, noise


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "GIF"])
def test_each_format_comes_out_as_rgb(kind: str) -> None:
    (frame,) = decode(encoded(noise(), kind)).frames
    assert frame.shape == (40, 60, 3)
    assert frame.dtype == np.uint8


@pytest.mark.parametrize("kind", ["BMP", "TIFF", "ICO", "PPM"])
def test_other_formats_are_refused(kind: str) -> None:
    with pytest.raises(BadImage, match="none of JPEG"):
        decode(encoded(noise(), kind))


def test_the_camera_was_held_sideways() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # turn right by 90 degrees
    (frame,) = decode(encoded(noise(), "JPEG", exif=exif)).frames
    assert frame.shape == (60, 40, 3)


def test_what_is_transparent_is_white() -> None:
    clear = Image.new("RGBA", (4, 4), (255, 0, 0, 0))
    assert (decode(encoded(clear)).frames[0] == 255).all()
    palette = Image.new("P", (4, 4), 0)
    assert (decode(encoded(palette, transparency=0)).frames[0] == 255).all()


def test_sixteen_bits_become_eight() -> None:
    levels = np.array([[0, 32768, 65535]], np.uint16)
    (frame,) = decode(encoded(Image.fromarray(levels))).frames
    assert frame[0, :, 0].tolist() == [0, 127, 255]


@pytest.mark.parametrize("mode", ["L", "1", "LA", "P"])
def test_other_modes_are_read(mode: str) -> None:
    assert decode(encoded(noise().convert(mode))).frames[0].shape == (40, 60, 3)


def test_cmyk_is_read() -> None:
    assert decode(encoded(noise().convert("CMYK"), "JPEG")).frames[0].shape == (40, 60, 3)


def test_an_animation_gives_frames_from_all_over_it() -> None:
    picture = decode(animation(12), Limits(frames=4))
    assert picture.total == 12
    assert [int(frame[0, 0, 0]) for frame in picture.frames] == pytest.approx([0, 80, 140, 220], abs=20)


def test_reaching_far_frames_may_not_cost_too_much() -> None:
    picture = decode(animation(12), Limits(frames=4, work=3 * 200))
    assert len(picture.frames) == 3
    assert max(int(frame[0, 0, 0]) for frame in picture.frames) <= 60


def grown(kind: str) -> bytes:
    """A small first frame and two large ones."""
    small, large = noise(size=(20, 10)), noise(size=(400, 300))
    if kind == "MPO":
        return encoded(small, "MPO", save_all=True, append_images=[large, large])
    others = [noise(seed, (400, 300)) for seed in (1, 2)]
    whole = bytearray(encoded(large.convert("P"), "GIF", save_all=True, append_images=others))
    whole[6:10] = struct.pack("<HH", 20, 10)  # the screen; frames beyond it make it larger
    first = whole.index(b",\x00\x00\x00\x00")
    whole[first + 5 : first + 9] = struct.pack("<HH", 20, 10)
    return bytes(whole)


@pytest.mark.parametrize("kind", ["MPO", "GIF"])
def test_frames_that_outgrow_the_first_one_are_counted_too(kind: str) -> None:
    with pytest.raises(BadImage, match="400 x 300 pixels, more than the 10,000 allowed"):
        decode(grown(kind), Limits(pixels=10_000))
    picture = decode(grown(kind), Limits(work=300 * 400 + 1000))
    assert len(picture.frames) < picture.total == 3


def png_header(width: int, height: int) -> bytes:
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    check = struct.pack(">I", zlib.crc32(b"IHDR" + head))
    return (
        b"\x89PNG\r\n\x1a\n"
        + struct.pack(">I", 13)
        + b"IHDR"
        + head
        + check
        + struct.pack(">I", 40)
        + b"IDAT"
        + b"\x00" * 44
    )


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "empty"),
        (b"\x00" * 100, "none of JPEG"),
        (encoded(noise(), "JPEG")[:200], "damaged|none of"),
        (encoded(noise())[:-30], "damaged"),
        (png_header(100_000, 100_000), "bomb"),
        (png_header(9_000, 9_000), "9000 x 9000 pixels, more than"),
        (png_header(60_000, 10), "longer than"),
        (png_header(0, 10), "damaged|no pixels|none of"),
        (b"x" * 200, "none of JPEG"),
    ],
    ids=["empty", "zeros", "cut early", "cut late", "bomb", "large", "long", "flat", "letters"],
)
def test_what_cannot_be_read_says_why(data: bytes, reason: str) -> None:
    with pytest.raises(BadImage, match=reason):
        decode(data)


def test_a_file_over_the_limit_is_not_even_opened() -> None:
    with pytest.raises(BadImage, match="11 bytes, more than the 10"):
        decode(b"x" * 11, Limits(file_bytes=10))


@pytest.mark.parametrize("wrong", [{"frames": 0}, {"pixels": 0}, {"ratio": 0.5}, {"file_bytes": 0}, {"work": 0}])
def test_limits_must_leave_something(wrong: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="at least 1"):
        Limits(**wrong)


@given(st.sampled_from(["PNG", "JPEG", "WEBP", "GIF"]), st.data())
@settings(deadline=None, max_examples=150)
def test_damage_anywhere_gives_pixels_or_a_reason(kind: str, data: st.DataObject) -> None:
    whole = bytearray(encoded(noise(), kind) if kind != "GIF" else animation(3))
    if data.draw(st.booleans()):
        whole = whole[: data.draw(st.integers(0, len(whole)))]
    for _ in range(data.draw(st.integers(0, 8))):
        if whole:
            whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    try:
        picture = decode(bytes(whole), Limits(pixels=100_000, work=400_000))
    except BadImage:
        return
    assert all(frame.dtype == np.uint8 and frame.shape[2] == 3 for frame in picture.frames)
