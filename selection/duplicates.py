"""Near-duplicates among vectors: which are so close that judging one judges the others.

Groups are connected components (single linkage): if a is close to b and b to c, all three share a group. That is
what a leak-proof split needs. Up to ``EXACT_ROWS`` rows every pair is compared; above that, candidates come from
sign-LSH with 24 tables and are then verified, so a pair that is reported is always close enough, and a pair right at
the threshold is found with probability 0.95 (far above it, practically always). ``selection.near.index`` does the same
for a lake that grows, and for texts and pictures too.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from selection.errors import BadPool
from selection.near import vectors
from selection.near.buckets import Buckets, first_of_equals
from selection.near.forest import Forest, Pairs, Rows
from selection.types import F16, F32

EXACT_ROWS = 4096


def near_duplicate_groups(embeddings: F16 | F32, cosine: float | None) -> Rows:
    """(n,) group labels; a label is the smallest row number of its group.

    ``embeddings`` (n, d) float16 or float32, L2-normalised rows; a zero row says nothing and stays alone.
    ``cosine``: vectors at least this similar share a group; 1.0 or more: only equal vectors (different ones but for
    chances of 2^-63); None: nobody does. The same for any number of threads; rows in another order give the same
    partition, except that in buckets of more than 49 close rows LSH may try other pairs.
    Raises BadPool on anything but a matrix of finite numbers.
    """
    if embeddings.ndim != 2 or not np.issubdtype(embeddings.dtype, np.floating):
        raise BadPool(f"embeddings: expected an (n, d) array of floats, found {embeddings.dtype} {embeddings.shape}")
    if cosine is None or len(embeddings) == 0:
        return np.arange(len(embeddings), dtype=np.int64)
    if not np.isfinite(embeddings).all():
        raise BadPool("embeddings: a row holds NaN or infinity")
    forest = Forest(np.arange(len(embeddings), dtype=np.int64))
    hashes = vectors.row_hashes(embeddings)
    firsts = first_of_equals(hashes)
    forest.join((firsts, np.arange(len(firsts), dtype=np.int64)))
    if cosine < 1.0:
        _join_close(forest, embeddings, np.flatnonzero((firsts == np.arange(len(firsts))) & (hashes != 0)), cosine)
    return forest.labels()


def _join_close(forest: Forest, embeddings: F16 | F32, rows: Rows, cosine: float) -> None:
    """Join those of ``rows``, all different, that are close."""
    candidates: Iterator[Pairs]
    if len(rows) <= EXACT_ROWS:
        distinct = embeddings[rows]
        found = vectors.block_pairs(distinct, distinct, cosine)
        candidates = ((rows[left], rows[right]) for left, right in found)
    else:
        buckets = Buckets(vectors.TABLES)
        buckets.insert(rows, vectors.sign_codes(embeddings, rows, cosine))
        candidates = buckets.candidates(0, vectors.most_bits(cosine))
    for left, right in forest.undecided(candidates):
        close = vectors.close(embeddings, (left, right), cosine)
        forest.join((left[close], right[close]))
