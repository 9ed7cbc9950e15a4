"""Image files made at test time."""

from __future__ import annotations

from io import BytesIO
from typing import Any

import numpy as np
from PIL import Image


def noise(seed: int = 0, size: tuple[int, int] = (60, 40)) -> Image.Image:
    """A small picture of soft noise; each seed gives another one."""
    rng = np.random.default_rng(seed)
    return Image.fromarray(rng.integers(0, 256, (6, 8, 3), dtype=np.uint8)).resize(size, Image.Resampling.BILINEAR)


def encoded(image: Image.Image, kind: str = "PNG", **options: Any) -> bytes:
    with BytesIO() as file:
        image.save(file, kind, **options)
        return file.getvalue()


def animation(frames: int, kind: str = "GIF") -> bytes:
    first, *rest = [Image.new("RGB", (20, 10), (i * 20 % 256, 0, 0)) for i in range(frames)]
    return encoded(first, kind, save_all=True, append_images=rest, duration=50, loop=0)
