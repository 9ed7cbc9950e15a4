"""An approximate index of embeddings, for strategies that look around a few items in a very large pool.

FAISS inverted lists: whole vectors up to ``FLAT_ROWS``, product quantisation (d / 4 bytes a vector) above. It is
trained on a sample by keyed numbers, so the order of the items moves nothing; items are known by their hashes. What it
finds is a shortlist: whoever asks compares the vectors themselves.
"""

from __future__ import annotations

import math
from typing import Any, cast

import faiss
import numpy as np
import numpy.typing as npt

from selection.diversity import one_thread
from selection.errors import BadPool
from selection.hashing import U64, uniforms
from selection.types import F16, F32

FLAT_ROWS = 1_000_000
GROWTH = 1.2  # times the items that it was trained for, from where on it is built anew
_SAMPLE = 64  # vectors a list that it is trained on
_LEAST = 10_000  # vectors that it is trained on, where there are so many
_LISTS = 4096  # at most: to train more takes longer than to look through longer ones
_PROBES = 32  # lists that are looked through for a query
_BLOCK = 65_536
_SUB_DIMENSIONS = 4  # coded as one byte


class Neighbours:
    """Items by hash, and the lists that hold them. ``trained_for``: how many items there were when it was built."""

    def __init__(self, index: Any, hashes: U64, trained_for: int) -> None:
        """``index``: of FAISS, whose ids are the bits of ``hashes``."""
        self._index, self._hashes, self.trained_for = index, np.sort(hashes), trained_for

    def __len__(self) -> int:
        return len(self._hashes)

    @property
    def hashes(self) -> U64:
        """Sorted."""
        return self._hashes

    @classmethod
    def build(cls, hashes: U64, vectors: F16 | F32) -> Neighbours:
        """Of n >= 1 items: ``hashes`` (n,), all different, and ``vectors`` (n, d), unit rows. Raises BadPool for
        none."""
        if not len(hashes):
            raise BadPool("embeddings: an index needs at least one")
        d = vectors.shape[1]
        lists = max(1, min(int(math.sqrt(len(hashes))), len(hashes) // 40, _LISTS))
        sample = np.argsort(uniforms(hashes, "neighbours"), kind="stable")[: max(_SAMPLE * lists, _LEAST)]
        coarse = faiss.IndexFlatIP(d)
        index: Any
        if len(hashes) <= FLAT_ROWS or d % _SUB_DIMENSIONS:
            index = faiss.IndexIVFFlat(coarse, d, lists, faiss.METRIC_INNER_PRODUCT)
        else:
            index = faiss.IndexIVFPQ(coarse, d, lists, d // _SUB_DIMENSIONS, 8, faiss.METRIC_INNER_PRODUCT)
        index.cp.spherical, index.cp.min_points_per_centroid = True, 1
        with one_thread():
            index.train(vectors[sample].astype(np.float32))
        found = cls(index, np.zeros(0, np.uint64), len(hashes))
        found.add(hashes, vectors)
        return found

    def add(self, hashes: U64, vectors: F16 | F32) -> None:
        """Items that are not there yet, in blocks, so that ``vectors`` may lie in a file."""
        for start in range(0, len(hashes), _BLOCK):
            part = slice(start, start + _BLOCK)
            self._index.add_with_ids(vectors[part].astype(np.float32), hashes[part].view(np.int64))
        self._hashes = np.sort(np.concatenate([self._hashes, hashes]))

    def near(self, queries: F32, k: int) -> U64:
        """Hashes of items that are among about the k nearest to any of (q, d) queries, sorted."""
        self._index.nprobe = _PROBES
        found = self._index.search(np.ascontiguousarray(queries, np.float32), min(k, len(self)))[1]
        return cast(U64, np.unique(found[found != -1]).view(np.uint64))

    def arrays(self) -> dict[str, npt.NDArray[Any]]:
        """Plain arrays that ``from_arrays`` reads."""
        return {
            "index": faiss.serialize_index(self._index),
            "hashes": self._hashes,
            "trained_for": np.array([self.trained_for]),
        }

    @classmethod
    def from_arrays(cls, arrays: dict[str, npt.NDArray[Any]], dimensions: int) -> Neighbours:
        """Raises BadPool where they are not of an index of so many dimensions."""
        try:
            index = faiss.deserialize_index(arrays["index"])
        except RuntimeError as error:
            raise BadPool("embeddings: the kept index is damaged") from error
        if index.d != dimensions or index.ntotal != len(arrays["hashes"]):
            raise BadPool("embeddings: the kept index is of other embeddings")
        return cls(index, arrays["hashes"], int(arrays["trained_for"][0]))


class Around:
    """An index over the rows of a pool: ``hashes`` (n,) of its items. What the index holds beside them, such as items
    that were erased since, is never told."""

    def __init__(self, index: Neighbours, hashes: U64) -> None:
        self._index, self._order = index, np.argsort(hashes, kind="stable")
        self._sorted = hashes[self._order]

    def __call__(self, queries: F32, k: int) -> npt.NDArray[np.int64]:
        """Rows that are among about the k nearest to any of (q, d) unit queries, rising."""
        found = self._index.near(queries, k)
        places = np.minimum(np.searchsorted(self._sorted, found), len(self._sorted) - 1)
        return np.sort(self._order[places[self._sorted[places] == found]]).astype(np.int64)
