"""Near-duplicates: which vectors are so close that judging one judges the others.

Groups are connected components (single linkage): if a is close to b and b to c, all three share a group. That is
what a leak-proof split needs. Up to ``EXACT_ROWS`` rows every pair is compared; above that, candidates come from
sign-LSH (Charikar 2002) with 24 tables and are then verified, so a pair that is reported is always close enough,
and a pair right at the threshold is found with probability 0.95 (far above it, practically always).
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import cast

import numpy as np
import numpy.typing as npt
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from selection.errors import BadPool
from selection.types import F16, F32

Labels = npt.NDArray[np.int64]
Pairs = tuple[Labels, Labels]
_U64 = npt.NDArray[np.uint64]

EXACT_ROWS = 4096
TABLES = 24
_RECALL = 0.95
_CHUNK_ROWS = 8192  # rows projected, and pairs verified, at a time
_WINDOW = 48  # neighbours each row is compared with inside one bucket
_LEVELS = 4096.0  # vectors and hyperplanes are rounded to whole numbers so that float32 products are exact
_PLANE_LEVELS = 16.0


def near_duplicate_groups(embeddings: F16 | F32, cosine: float | None) -> Labels:
    """(n,) group labels; a label is the smallest row number of its group.

    ``embeddings`` (n, d) float16 or float32, L2-normalised rows; a zero row says nothing and stays alone.
    ``cosine``: vectors at least this similar share a group; 1.0 or more: only equal vectors; None: nobody does. The
    same for any number of threads; rows in another order give the same partition, except that in buckets of more than
    48 close rows LSH may try other pairs.
    Raises BadPool on anything but a matrix of finite numbers.
    """
    if embeddings.ndim != 2 or not np.issubdtype(embeddings.dtype, np.floating):
        raise BadPool(f"embeddings: expected an (n, d) array of floats, found {embeddings.dtype} {embeddings.shape}")
    if not np.isfinite(embeddings).all():
        raise BadPool("embeddings: a row holds NaN or infinity")
    labels: Labels = np.arange(len(embeddings), dtype=np.int64)
    if cosine is None or len(embeddings) == 0:
        return labels
    made = np.flatnonzero(embeddings.any(axis=1))
    if len(made) < len(labels):
        labels[made] = made[near_duplicate_groups(embeddings[made], cosine)]
        return labels
    labels = _join(labels, _equal_pairs(embeddings))
    if cosine >= 1.0:
        return labels
    rows = np.flatnonzero(labels == np.arange(len(labels)))
    distinct = embeddings[rows] if len(rows) < len(labels) else embeddings
    joined: Labels = np.arange(len(rows), dtype=np.int64)
    candidates = _all_pairs(distinct, cosine) if len(rows) <= EXACT_ROWS else _lsh_pairs(distinct, cosine)
    for left, right in candidates:
        apart = joined[left] != joined[right]
        joined = _join(joined, _verified(distinct, left[apart], right[apart], cosine))
    return rows[joined][np.searchsorted(rows, labels)]


def _join(labels: Labels, pairs: Pairs) -> Labels:
    left, right = labels[pairs[0]], labels[pairs[1]]
    if len(left) == 0:
        return labels
    n = len(labels)
    edges = coo_array((np.ones(len(left), dtype=np.int8), (left, right)), shape=(n, n))
    _, components = connected_components(edges, directed=False)
    smallest = np.full(n, n, dtype=np.int64)
    np.minimum.at(smallest, components, np.arange(n))
    return smallest[components][labels]


def _equal_pairs(embeddings: F16 | F32) -> Pairs:
    hashes = _row_hashes(embeddings)
    order = np.argsort(hashes, kind="stable").astype(np.int64)
    left, right = order[:-1], order[1:]
    alike = hashes[left] == hashes[right]
    left, right = left[alike], right[alike]
    same = np.empty(len(left), dtype=bool)
    for part in _parts(len(left)):
        same[part] = (embeddings[left[part]] == embeddings[right[part]]).all(axis=1)
    return left[same], right[same]


def _row_hashes(embeddings: F16 | F32) -> _U64:
    """Equal rows get equal hashes; others differ but for chances of 2^-63 (multilinear hashing modulo 2^64)."""
    factors = np.random.default_rng(1).integers(0, 2**63, size=embeddings.shape[1], dtype=np.uint64)
    factors = factors * np.uint64(2) + np.uint64(1)
    hashes = np.empty(len(embeddings), dtype=np.uint64)
    for part in _parts(len(embeddings)):
        plain = embeddings[part].astype(np.float32) + np.float32(0)  # turns -0.0, which equals 0.0, into 0.0
        hashes[part] = (plain.view(np.uint32) * factors).sum(axis=1, dtype=np.uint64)
    return hashes


def _all_pairs(embeddings: F16 | F32, cosine: float) -> Iterator[Pairs]:
    vectors = _unit(embeddings)
    for start in range(0, len(vectors), 512):
        block = vectors[start : start + 512] @ vectors[start:].T
        left, right = np.nonzero(block >= cosine - 1e-4)  # a little slack: the verification decides
        keep = right > left
        yield left[keep].astype(np.int64) + start, right[keep].astype(np.int64) + start


def _lsh_pairs(embeddings: F16 | F32, cosine: float) -> Iterator[Pairs]:
    codes = _codes(embeddings, _bits(cosine))
    for table, code in enumerate(codes):
        inside = codes[(table + 1) % TABLES].astype(np.uint64) << np.uint64(32) | codes[(table + 2) % TABLES]
        order = np.lexsort((inside, code)).astype(np.int64)  # in a crowded bucket, likely pairs lie side by side
        ordered = code[order]
        for step in range(1, _WINDOW + 1):
            same = np.flatnonzero(ordered[step:] == ordered[:-step])
            if len(same) == 0:
                break
            yield order[same], order[same + step]


def _bits(cosine: float) -> int:
    """The most bits (12..24) that still find a pair at the threshold with probability 0.95 in 24 tables."""
    agree = 1.0 - math.acos(max(-1.0, min(1.0, cosine))) / math.pi
    table_recall = 1.0 - (1.0 - _RECALL) ** (1.0 / TABLES)
    return max(12, min(24, math.floor(math.log(table_recall) / math.log(agree))))


def _codes(embeddings: F16 | F32, bits: int) -> list[npt.NDArray[np.uint32]]:
    """Per table one code per row. Whole-number arithmetic: exact in float32, so no BLAS or thread count changes it."""
    n, d = embeddings.shape
    planes = np.rint(np.random.default_rng(0).standard_normal((d, TABLES * bits)) * _PLANE_LEVELS).astype(np.float32)
    weights = (1 << np.arange(bits, dtype=np.uint32)).astype(np.uint32)
    codes = np.empty((TABLES, n), dtype=np.uint32)
    for part in _parts(n):
        whole = np.rint(_unit(embeddings[part]) * _LEVELS)
        signs = (whole @ planes >= 0).reshape(len(whole), TABLES, bits)
        codes[:, part] = (signs @ weights).T
    return list(codes)


def _verified(embeddings: F16 | F32, left: Labels, right: Labels, cosine: float) -> Pairs:
    close = np.empty(len(left), dtype=bool)
    for part in _parts(len(left)):
        products = _unit(embeddings[left[part]]) * _unit(embeddings[right[part]])
        close[part] = products.sum(axis=1, dtype=np.float64) >= cosine
    return left[close], right[close]


def _parts(n: int) -> Iterator[slice]:
    return (slice(start, start + _CHUNK_ROWS) for start in range(0, n, _CHUNK_ROWS))


def _unit(embeddings: F16 | F32) -> F32:
    vectors = embeddings.astype(np.float32)
    lengths = np.sqrt(np.einsum("ij,ij->i", vectors, vectors))
    return cast(F32, vectors / np.maximum(lengths, np.float32(1e-12))[:, None])
