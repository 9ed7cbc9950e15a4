"""The near-duplicate groups of a round's items, kept between rounds so that only what is new costs time.

What is kept is a cache: one file of plain arrays that holds hashes and codes, no content. A round brings it to exactly
its own items: new ones are added, items that left the lake or wait for a later round are taken out, and items whose
embedding changed (another encoder, a score that now has one), or that got the hash of their picture, are added anew.
A file that is gone, broken or of other settings is built anew. An image that has such a hash is compared by it, and
not by its caption: many pictures are called the same.
"""

from __future__ import annotations

import lzma
import os
import struct
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from labeling.pictures import Pictures, no_pictures
from selection.errors import BadPool
from selection.near.buckets import U64
from selection.near.grouping import JACCARD, Closeness
from selection.near.index import Items, NearDuplicates
from selection.types import F16, F32

FILE = "near-duplicates.npz"
_BATCH_ITEMS = 100_000  # texts read and added at a time
DAMAGE = (
    EOFError,
    KeyError,
    OSError,
    RuntimeError,  # of a flipped bit that says "encrypted", among others
    ValueError,
    lzma.LZMAError,
    struct.error,
    zipfile.BadZipFile,
    zlib.error,
)  # all that zipfile and numpy have been seen to raise for damaged files


class Texts(Protocol):
    """The part of the lake that is needed here."""

    def take(self, item_ids: Sequence[str], columns: Sequence[str]) -> pa.Table: ...


@dataclass(frozen=True, slots=True)
class Grouped:
    """``groups`` (n,): items with equal numbers are near-duplicates; ``notes`` say what did not go as usual."""

    groups: npt.NDArray[np.int64]
    notes: tuple[str, ...] = ()


class Contents:
    """Reads texts from the lake, and embeddings from a matrix whose row i belongs to ``ids[i]``; ``pictures`` as
    ``labeling.pictures.Pictures`` gives them."""

    def __init__(
        self, lake: Texts, ids: Sequence[str], embeddings: F16 | F32, pictures: Mapping[str, np.uint64] | None = None
    ) -> None:
        self._lake = lake
        self._embeddings = embeddings
        self._pictures = pictures or {}
        self._rows = {item_id: row for row, item_id in enumerate(ids)}

    def texts(self, ids: Sequence[str]) -> list[str]:
        """The texts of these items, "" for a caption. Raises UnknownItem for one that left the lake."""
        found: list[str] = self._lake.take(ids, ["text"])["text"].to_pylist() if ids else []
        return ["" if self._pictures.get(i) else text for i, text in zip(ids, found, strict=True)]

    def vectors(self, ids: Sequence[str]) -> F16 | F32:
        """(len(ids), d) their embeddings."""
        return self._embeddings[np.fromiter((self._rows[item_id] for item_id in ids), np.int64, len(ids))]

    def pictures(self, ids: Sequence[str]) -> U64:
        """(len(ids),) the perceptual hashes of these items, 0 for one that has none."""
        return np.array([self._pictures.get(item_id, 0) for item_id in ids], np.uint64)


def group_near_duplicates(
    lake: Texts,
    ids: Sequence[str],
    embeddings: F16 | F32,
    cosine: float,
    cache_dir: Path | None,
    *,
    keep: bool,
    pictures: Pictures = no_pictures,
) -> Grouped:
    """Group items by their texts (in the lake), their ``pictures`` and ``embeddings`` (n, d), a zero row for an item
    that has none.

    ``cosine`` above 0: from where on embeddings are close; 1.0 or more: only equal embeddings, and texts that are equal
    after normalisation. ``cache_dir``: the folder of the cache, None where there is none; with ``keep`` it is written.
    """
    closeness = closeness_of(cosine)
    contents = Contents(lake, ids, embeddings, pictures(ids))
    index, notes = _opened(cache_dir, closeness)
    changed = _leave(index, ids, contents)
    new = [item_id for item_id in ids if item_id not in index]
    for start in range(0, len(new), _BATCH_ITEMS):
        part = new[start : start + _BATCH_ITEMS]
        index.add(Items(part, contents.texts(part), contents.vectors(part), contents.pictures(part)), contents)
    if keep and cache_dir is not None and (new or changed):
        notes += _saved(cache_dir / FILE, index)
    return Grouped(index.labels(ids), tuple(notes))


def closeness_of(cosine: float) -> Closeness:
    """What a ``duplicate_cosine`` above 0 means for all signals; 1.0 or more: equal embeddings and letters only. Of
    pictures a copy is never quite equal, so they are compared alike."""
    return Closeness(min(cosine, 1.0), JACCARD if cosine < 1 else 1.0)


def _leave(index: NearDuplicates, ids: Sequence[str], contents: Contents) -> bool:
    """Take out what is not asked for or has another embedding now; whether anything was."""
    wanted = set(ids)
    stay = [item_id for item_id in index.ids if item_id in wanted]
    gone = [item_id for item_id in index.ids if item_id not in wanted]
    for start in range(0, len(stay), _BATCH_ITEMS):
        part = stay[start : start + _BATCH_ITEMS]
        gone += index.changed(part, contents.vectors(part), contents.pictures(part))
    index.remove(gone, contents)
    return bool(gone)


def _opened(cache_dir: Path | None, closeness: Closeness) -> tuple[NearDuplicates, list[str]]:
    """The kept index, or an empty one and why."""
    path = None if cache_dir is None else cache_dir / FILE
    if path is None or not path.exists():
        return NearDuplicates(closeness), []
    try:
        return NearDuplicates.from_arrays(read_arrays(path), closeness), []
    except BadPool as error:
        why = str(error).removesuffix("; build it anew")
    except DAMAGE as error:
        why = f"near-duplicate index: {path} cannot be read ({error})"
    return NearDuplicates(closeness), [f"{why}; it was built anew"]


def read_arrays(path: Path) -> dict[str, npt.NDArray[Any]]:
    """What ``write_arrays`` wrote. Raises one of ``DAMAGE`` for a file that is not whole."""
    with zipfile.ZipFile(path) as archive:
        broken = archive.testzip()  # before numpy believes what an array's header says
    if broken is not None:
        raise ValueError(f"its part {broken} is damaged")
    with np.load(path, allow_pickle=False) as arrays:
        return {name: arrays[name] for name in arrays.files}


def _saved(path: Path, index: NearDuplicates) -> list[str]:
    """Write the index whole or not at all; a disk that takes no more costs the next round time, not this one."""
    try:
        write_arrays(path, dict(index.arrays()))
    except OSError as error:
        return [f"near-duplicate index: {path} cannot be written ({error.strerror}); the next round builds it anew"]
    return []


def write_arrays(path: Path, arrays: dict[str, Any]) -> None:
    """A file of plain arrays, whole or not at all. Raises OSError."""
    part = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with part.open("wb") as file:
            np.savez(file, allow_pickle=False, **arrays)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
