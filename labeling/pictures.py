"""Perceptual hashes of images in the lake, by which near-duplicate pictures are known.

The column group ``PICTURES`` has one column, ``hash``: 64 bits that stay when a picture is scaled or recompressed
(``scoring.perceptual``), 0 where there is nothing to compare (one colour, or a file that is no image any more). The
score job writes it when it reads an image's bytes; ``fill`` does for images that were scored before.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from labeling.errors import BadMedia, PlanOutdated
from labeling.scorebook import Add
from labeling.store.interfaces import ITEMS, Lake
from scoring.errors import BadImage
from scoring.perceptual import image_hash

PICTURES = "pictures-phash-1"  # another way to hash gets another name, so that no two kinds meet
IMAGES = {"modality": "image"}
_READERS = 8  # media read at once: most of the time goes to waiting
_COMMIT = 512  # hashes in a commit, but for the last one
_BATCH_BYTES = 2**26

_Hashes = dict[str, np.uint64]


class Pictures(Protocol):
    """Perceptual hashes of those items that are images and have one: item id -> hash, 0 where it says nothing."""

    def __call__(self, item_ids: Sequence[str], /) -> dict[str, np.uint64]: ...


class Reader(Protocol):
    """Reads an item's media."""

    def read(self, media: str) -> bytes: ...


class LakePictures:
    """``Pictures`` from the lake."""

    def __init__(self, lake: Lake) -> None:
        self._lake = lake

    def __call__(self, item_ids: Sequence[str]) -> dict[str, np.uint64]:
        if not item_ids or PICTURES not in self._lake.groups():
            return {}
        wanted, found = pa.array(item_ids, pa.string()), _Hashes()
        for batch in self._lake.scan(["hash"], PICTURES):
            rows = batch.filter(pc.is_in(batch.column("item_id"), value_set=wanted))
            found |= zip(rows["item_id"].to_pylist(), rows["hash"].to_numpy(), strict=True)
        return found


def no_pictures(item_ids: Sequence[str]) -> dict[str, np.uint64]:  # noqa: ARG001 - the protocol's signature
    """A source without hashes: nothing is known to be an image."""
    return {}


def keep_pictures(add: Add, hashes: Mapping[str, np.uint64]) -> None:
    """Write hashes by item; those that are there stay."""
    if hashes:
        add(PICTURES, list(hashes), {"hash": pa.array(list(hashes.values()), pa.uint64())})


def fill(lake: Lake, reader: Reader, scored: str, until: Callable[[], bool]) -> int:
    """Hash the images that have a row in the group ``scored`` and no hash, until there are none or ``until``, asked
    after each few, says so; how many it is worth to go on for. What is no image any more gets 0. Media that cannot be
    read now are passed over, and tried by a later call."""
    gap, held, kept, ended = lake.gap(ITEMS, within=(scored,), without=(PICTURES,), where=IMAGES), _Hashes(), 0, False
    try:
        with ThreadPoolExecutor(_READERS, "media") as pool:
            while not ended and (table := gap.take(["media"], _READERS, _BATCH_BYTES)).num_rows:
                read = pool.map(lambda media: _read(reader, media), table["media"].to_pylist())
                found = zip(table["item_id"].to_pylist(), map(_hash, read), strict=True)
                held |= {item_id: value for item_id, value in found if value is not None}
                ended = until()
                if len(held) >= _COMMIT or ended:
                    keep_pictures(gap.add, held)
                    held, kept = _Hashes(), kept + len(held)
        keep_pictures(gap.add, held)
    except PlanOutdated:  # deleted from, or compacted: the next call looks anew
        return max(1, len(gap))
    return len(gap) if kept else 0  # where nothing could be read, going on at once would read the same again


def _read(reader: Reader, media: str) -> bytes | BadMedia:
    try:
        return reader.read(media)
    except BadMedia as error:
        return error


def _hash(read: bytes | BadMedia) -> np.uint64 | None:
    """None: another time."""
    if isinstance(read, BadMedia):
        return None if read.passing else np.uint64(0)
    try:
        return image_hash(read)
    except BadImage:
        return np.uint64(0)
