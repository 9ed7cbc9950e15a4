"""Perceptual hashes: 64 bits that stay when a picture is scaled, recompressed or slightly retouched.

The hash is pHash's (Zauner, "Implementation and Benchmarking of Perceptual Image Hash Functions", 2010): the signs,
against their median, of the 64 lowest frequencies of the luminance at 32 x 32. ``selection.near.pictures`` groups
pictures by it. Mirrored, turned and heavily cropped copies get other hashes.
"""

from __future__ import annotations

import numpy as np
from PIL import Image
from scipy.fft import dctn

from scoring.images import DEFAULT, Limits, Pixels, first_frame

_SIDE = 32
_DRAFT = 256  # pixels a side that a JPEG is decoded to at least: enough not to move a bit
_KEPT = 8
_FLAT = 2.0  # grey levels: what varies less is noise of the compression, and its signs say nothing
_BITS = np.uint64(1) << np.arange(64, dtype=np.uint64)


def perceptual_hash(pixels: Pixels) -> np.uint64:
    """The hash of a frame, (h, w, 3) uint8 RGB. 0: it is of one colour, so there is nothing to compare."""
    small = Image.fromarray(pixels).convert("L").resize((_SIDE, _SIDE), Image.Resampling.LANCZOS)
    levels = np.asarray(small, np.float64)
    if levels.std() < _FLAT:
        return np.uint64(0)
    low = np.asarray(dctn(levels, norm="ortho"))[:_KEPT, :_KEPT].ravel()
    return np.uint64(_BITS[low > np.median(low)].sum())


def image_hash(data: bytes, limits: Limits = DEFAULT) -> np.uint64:
    """The hash of an image file, of an animation that of its first frame. Raises BadImage."""
    return perceptual_hash(first_frame(data, _DRAFT, limits))
