"""Encoded image files to pixels, safely: what comes from outside may be broken, or made to do harm."""

from __future__ import annotations

import struct
import warnings
import zlib
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageOps, UnidentifiedImageError

from scoring.errors import BadImage

FORMATS = ("JPEG", "PNG", "WEBP", "GIF")
SIXTEEN_BITS = 257  # 65535 / 255
_DAMAGE = (
    ArithmeticError,
    AttributeError,
    EOFError,
    LookupError,
    MemoryError,
    OSError,
    SyntaxError,
    TypeError,
    ValueError,
    struct.error,
    zlib.error,
)  # all that Pillow has been seen to raise for damaged files

Pixels = npt.NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Limits:
    """What an image file may ask for. ``file_bytes``: its size; ``pixels``: width x height of a frame; ``ratio``: its
    longer side over its shorter one; ``frames``: how many frames of an animation are read, spread evenly; ``work``:
    pixels that reaching them may decode in all, since each frame needs those before it."""

    file_bytes: int = 20_000_000
    pixels: int = 50_000_000
    ratio: float = 50.0
    frames: int = 4
    work: int = 200_000_000

    def __post_init__(self) -> None:
        if min(self.file_bytes, self.pixels, self.frames, self.work) < 1 or self.ratio < 1:
            raise ValueError(f"image limits must be at least 1, not {self}")


@dataclass(frozen=True, slots=True)
class Picture:
    """``frames``: (h, w, 3) uint8 RGB each, upright, on white where transparent, out of ``total`` in the file."""

    frames: tuple[Pixels, ...]
    total: int


DEFAULT = Limits()


def decode(data: bytes, limits: Limits = DEFAULT) -> Picture:
    """The pixels of a JPEG, PNG, WebP or GIF file. Raises BadImage, saying why.

    Size and format are read from the header before any pixel is decoded, the size of each frame too.
    """
    _check_file(data, limits)
    with _opened(data) as image:
        _check_size(image, limits)
        total = int(getattr(image, "n_frames", 1))
        wanted = _spread(total, limits.frames, max(1, limits.work // (image.width * image.height)))
        return Picture(tuple(_frames(image, wanted, limits)), total)


def first_frame(data: bytes, side: int, limits: Limits = DEFAULT) -> Pixels:
    """The first frame alone, as ``decode`` gives it, but that a JPEG may come out smaller: not below ``side`` pixels
    on either side, in a fraction of the time. Raises BadImage."""
    _check_file(data, limits)
    with _opened(data) as image:
        _check_size(image, limits)
        image.draft("RGB", (side, side))
        return _frame(image)


@contextmanager
def _opened(data: bytes) -> Iterator[Image.Image]:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            warnings.filterwarnings("ignore", category=UserWarning)  # broken metadata does not hurt the pixels
            with Image.open(BytesIO(data), formats=FORMATS) as image:
                yield image
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise BadImage("the image has too many pixels, it may be a decompression bomb") from error
    except UnidentifiedImageError as error:
        raise BadImage(f"the file is none of {', '.join(FORMATS)}, or its header is broken") from error
    except _DAMAGE as error:
        raise BadImage(f"the image is damaged: {type(error).__name__}: {error}") from error


def _check_file(data: bytes, limits: Limits) -> None:
    if not isinstance(data, bytes):
        raise BadImage(f"the image is a {type(data).__name__}, not bytes")
    if not data:
        raise BadImage("the image file is empty")
    if len(data) > limits.file_bytes:
        raise BadImage(f"the image file has {len(data):,} bytes, more than the {limits.file_bytes:,} allowed")


def _check_size(image: Image.Image, limits: Limits) -> None:
    width, height = image.size
    if min(width, height) < 1:
        raise BadImage(f"the image has no pixels ({width} x {height})")
    if width * height > limits.pixels:
        raise BadImage(f"the image has {width} x {height} pixels, more than the {limits.pixels:,} allowed")
    if max(width, height) > limits.ratio * min(width, height):
        raise BadImage(f"the image is {width} x {height}, longer than {limits.ratio:g} times its width")


def _spread(total: int, most: int, reach: int) -> list[int]:
    """Up to ``most`` frame numbers, evenly over the first ``reach`` of ``total``, the first one always in."""
    last = min(total, reach) - 1
    return sorted({round(place) for place in np.linspace(0, last, min(most, last + 1))})


def _frames(image: Image.Image, wanted: Collection[int], limits: Limits) -> Iterator[Pixels]:
    """Step by step, since a frame may be larger than the file's header says: its size is known once it is reached."""
    work = 0
    for number in range(max(wanted) + 1):
        image.seek(number)
        _check_size(image, limits)
        work += image.width * image.height
        if number and work > limits.work:
            return
        if number in wanted:
            yield _frame(image)


def _frame(image: Image.Image) -> Pixels:
    image.load()
    upright = ImageOps.exif_transpose(image)
    if upright.mode.startswith("I"):
        return _grey(np.asarray(upright) // SIXTEEN_BITS)
    if upright.has_transparency_data:
        layer = upright.convert("RGBA")
        white = Image.new("RGBA", layer.size, "white")
        upright = Image.alpha_composite(white, layer)
    return np.asarray(upright.convert("RGB"))


def _grey(levels: npt.NDArray[np.generic]) -> Pixels:
    return np.repeat(np.clip(levels, 0, 255).astype(np.uint8)[:, :, None], 3, axis=2)
