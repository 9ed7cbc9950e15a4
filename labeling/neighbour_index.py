"""The index of a round's embeddings, kept between rounds for the strategies that look around labelled items.

One file of plain arrays in the cache folder, written aside and renamed. An index that holds exactly the round's items
is used as it is; new ones are added to it. It is built anew when an item left (erased, or of a later round), when there
are a fifth more than it was trained for, and when the file is damaged or of other embeddings.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from labeling.near_duplicates import DAMAGE, read_arrays, write_arrays
from selection.errors import BadPool
from selection.hashing import item_hashes
from selection.neighbours import GROWTH, Around, Neighbours
from selection.types import F16

FILES = "neighbours-*.npz"  # one an encoder

Rows = npt.NDArray[np.int64]

INDEX_ABOVE = 500_000  # items; below, all are compared
_BLOCK = 65_536


@dataclass(frozen=True, slots=True)
class Indexed:
    """``near``: None where no item has an embedding; ``notes`` say what did not go as usual."""

    near: Around | None
    notes: tuple[str, ...] = ()


def index_neighbours(
    ids: Sequence[str], embeddings: F16, embedding_version: str, cache_dir: Path | None, *, keep: bool
) -> Indexed:
    """The index of ``ids`` and their ``embeddings`` (n, d), a zero row for an item that has none. ``cache_dir``: the
    folder it is kept in, None where there is none; with ``keep`` it is written."""
    path = None if cache_dir is None else cache_dir / FILES.replace("*", embedding_version)
    hashes = item_hashes(ids)
    index, notes = _opened(path, embeddings.shape[1])
    if index is not None and not np.isin(index.hashes, hashes, assume_unique=True).all():
        index = None  # an item left: nothing of it may stay, not in what was trained either
    new = _made(embeddings, np.arange(len(hashes)) if index is None else np.flatnonzero(~np.isin(hashes, index.hashes)))
    if index is not None and len(index) + len(new) > GROWTH * index.trained_for:
        index, new = None, _made(embeddings, np.arange(len(hashes)))
    if index is None and not len(new):
        return Indexed(None, tuple(notes))
    if index is None:
        index = Neighbours.build(hashes[new], _rows(embeddings, new))
    else:
        index.add(hashes[new], _rows(embeddings, new))
    if keep and path is not None and len(new):
        notes += _saved(path, index)
    return Indexed(Around(index, hashes), tuple(notes))


def _made(embeddings: F16, rows: Rows) -> Rows:
    """Those of ``rows`` that have an embedding."""
    parts = [rows[start : start + _BLOCK] for start in range(0, len(rows), _BLOCK)]
    return np.concatenate([part[embeddings[part].any(axis=1)] for part in parts]) if parts else rows


def _rows(embeddings: F16, rows: Rows) -> F16:
    """All of them where they are, or a copy of some."""
    return embeddings if len(rows) == len(embeddings) else embeddings[rows]


def _opened(path: Path | None, dimensions: int) -> tuple[Neighbours | None, list[str]]:
    """The kept index, or none and why."""
    if path is None or not path.exists():
        return None, []
    try:
        return Neighbours.from_arrays(read_arrays(path), dimensions), []
    except (BadPool, *DAMAGE) as error:
        return None, [f"index of neighbours: {path} cannot be used ({error}); it was built anew"]


def _saved(path: Path, index: Neighbours) -> list[str]:
    """Write it, and let go of those of other embeddings: what was erased since may be in them."""
    try:
        for other in path.parent.glob(FILES):
            if other != path:
                other.unlink(missing_ok=True)
        write_arrays(path, index.arrays())
    except OSError as error:
        return [f"index of neighbours: {path} cannot be written ({error.strerror}); the next round builds it anew"]
    return []
