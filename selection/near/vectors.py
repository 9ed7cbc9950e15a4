"""Embeddings compared by cosine: sign-LSH (Charikar 2002) in ``TABLES`` tables to find, the cosine itself to decide."""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import lru_cache
from typing import cast

import numpy as np

from selection.near.buckets import U32, U64
from selection.near.forest import Bool, Pairs, Rows
from selection.types import F16, F32

TABLES = 24
SLACK = 1e-4  # a product in a block is rounded otherwise than a single one: look a little wider, then verify
_RECALL = 0.95
_CHUNK_ROWS = 8192  # rows projected, and pairs verified, at a time
_LEVELS = 4096.0  # vectors and hyperplanes are rounded to whole numbers so that float32 products are exact
_PLANE_LEVELS = 16.0


def row_hashes(embeddings: F16 | F32) -> U64:
    """Equal rows get equal hashes; others differ but for chances of 2^-63 (multilinear hashing modulo 2^64).

    0: the row is all zero. The same row in float16 and in float32 has one hash.
    """
    factors = np.random.default_rng(1).integers(0, 2**63, size=embeddings.shape[1], dtype=np.uint64)
    factors = factors * np.uint64(2) + np.uint64(1)
    hashes = np.empty(len(embeddings), dtype=np.uint64)
    for part in parts(len(embeddings)):
        plain = embeddings[part].astype(np.float32) + np.float32(0)  # turns -0.0, which equals 0.0, into 0.0
        found = (plain.view(np.uint32) * factors).sum(axis=1, dtype=np.uint64)
        found[(found == 0) & plain.any(axis=1)] = 1
        hashes[part] = found
    return hashes


def bits(cosine: float) -> int:
    """The most bits (12..24) that still find a pair at the threshold with probability 0.95 in all tables together."""
    agree = 1.0 - math.acos(max(-1.0, min(1.0, cosine))) / math.pi
    table_recall = 1.0 - (1.0 - _RECALL) ** (1.0 / TABLES)
    return max(12, min(24, math.floor(math.log(table_recall) / math.log(agree))))


def most_bits(cosine: float) -> int:
    """In how many bits the codes of half the tables differ at most for a pair at the threshold: six standard
    deviations above the mean, so that one in 10^9 such pairs is passed over."""
    count, differ = TABLES // 2 * bits(cosine), math.acos(max(-1.0, min(1.0, cosine))) / math.pi
    return math.ceil(count * differ + 6 * math.sqrt(count * differ * (1 - differ)))


def sign_codes(embeddings: F16 | F32, rows: Rows, cosine: float) -> U32:
    """(TABLES, len(rows)) codes of these rows. Whole-number arithmetic: exact in float32, so no BLAS or thread count
    changes it."""
    n, d = len(rows), embeddings.shape[1]
    width = bits(cosine)
    planes = _planes(d, width)
    weights = (1 << np.arange(width, dtype=np.uint32)).astype(np.uint32)
    codes = np.empty((TABLES, n), dtype=np.uint32)
    for part in parts(n):
        whole = np.rint(unit(embeddings[rows[part]]) * _LEVELS)
        signs = (whole @ planes >= 0).reshape(len(whole), TABLES, width)
        codes[:, part] = (signs @ weights).T
    return codes


@lru_cache(maxsize=4)
def _planes(d: int, width: int) -> F32:
    """(d, TABLES * width) the hyperplanes."""
    normal = np.random.default_rng(0).standard_normal((d, TABLES * width))
    return cast(F32, np.rint(normal * _PLANE_LEVELS).astype(np.float32))


def block_pairs(new: F16 | F32, old: F16 | F32, cosine: float) -> Iterator[Pairs]:
    """Candidates (row of ``new``, row of ``old``) by comparing all with all."""
    left, right = unit(new), unit(old)
    for start in range(0, len(left), 512):
        rows, columns = np.nonzero(left[start : start + 512] @ right.T >= cosine - SLACK)
        yield rows.astype(np.int64) + start, columns.astype(np.int64)


def close(embeddings: F16 | F32, pairs: Pairs, cosine: float) -> Bool:
    """(p,) whether the rows of each pair are at least ``cosine`` similar."""
    left, right = pairs
    found = np.empty(len(left), dtype=bool)
    for part in parts(len(left)):
        products = unit(embeddings[left[part]]) * unit(embeddings[right[part]])
        found[part] = products.sum(axis=1, dtype=np.float64) >= cosine
    return found


def parts(n: int) -> Iterator[slice]:
    """Slices of n rows that are worked through one at a time."""
    return (slice(start, start + _CHUNK_ROWS) for start in range(0, n, _CHUNK_ROWS))


def unit(embeddings: F16 | F32) -> F32:
    """Rows of length 1 in float32; a zero row stays zero."""
    vectors = embeddings.astype(np.float32)
    lengths = np.sqrt(np.einsum("ij,ij->i", vectors, vectors))
    return cast(F32, vectors / np.maximum(lengths, np.float32(1e-12))[:, None])
