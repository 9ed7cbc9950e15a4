"""Spread a lane's picks over what the uncertain items are about: one pick per FAISS k-means cluster."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import faiss
import numpy as np
import numpy.typing as npt

from selection.duplicates import near_duplicate_groups
from selection.types import F16, F32

_ITERATIONS = 10


@dataclass(frozen=True, slots=True)
class Spread:
    """``rows`` chosen, in rising order; ``clusters`` of the same length, -1 where clustering did not decide;
    ``note`` says so when there was a fallback."""

    rows: npt.NDArray[np.int64]
    clusters: npt.NDArray[np.int64]
    note: str | None = None


def spread(embeddings: F16 | F32, n: int, seed: int) -> Spread:
    """Choose min(n, m) of m rows, given most uncertain first: the first row of each of n spherical clusters.

    ``embeddings`` (m, d) L2-normalised. With no more rows than picks all are chosen; with fewer distinct vectors
    than picks there are as many clusters as distinct vectors, and uncertainty alone fills the rest. The same for any
    number of threads: k-means runs on one.
    """
    m = len(embeddings)
    if m <= n:
        return Spread(np.arange(m), np.full(m, -1))
    labels = near_duplicate_groups(embeddings, 1.0)
    made = embeddings.any(axis=1)  # items without an embedding are one point, at the origin
    distinct = int(np.count_nonzero((labels == np.arange(m)) & made)) + int(not made.all())
    clusters = kmeans(embeddings.astype(np.float32), min(n, distinct), seed)[0]
    _, firsts = np.unique(clusters, return_index=True)
    rows = firsts.astype(np.int64)
    if len(rows) == n:
        return Spread(np.sort(rows), clusters[np.sort(rows)])
    rest = np.setdiff1d(np.arange(m), rows)[: n - len(rows)]
    chosen = np.sort(np.concatenate([rows, rest]))
    decided = np.where(np.isin(chosen, rest), -1, clusters[chosen])
    why = f"{distinct} distinct vectors" if distinct < n else f"{len(rows)} clusters that hold an item"
    return Spread(chosen, decided, f"diversity: only {why} for {n} picks; {len(rest)} chosen by uncertainty alone")


def kmeans(vectors: F32, k: int, seed: int) -> tuple[npt.NDArray[np.int64], F32]:
    """Spherical k-means of (m, d) unit rows, 1 <= k <= m: the cluster (m,) of each row and the centroids (k, d)."""
    if k == 1:
        return np.zeros(len(vectors), dtype=np.int64), vectors.mean(axis=0, keepdims=True)
    with one_thread():
        found = faiss.Kmeans(
            vectors.shape[1],
            k,
            niter=_ITERATIONS,
            spherical=True,
            seed=seed,
            min_points_per_centroid=1,
            max_points_per_centroid=len(vectors),
        )
        found.train(vectors)
        _, nearest = found.index.search(vectors, 1)
    return np.asarray(nearest[:, 0], dtype=np.int64), np.asarray(found.centroids, dtype=np.float32)


@contextmanager
def one_thread() -> Iterator[None]:
    """OpenMP keeps this setting per calling thread, so other work in the process is left alone."""
    before = faiss.omp_get_max_threads()
    faiss.omp_set_num_threads(1)
    try:
        yield
    finally:
        faiss.omp_set_num_threads(before)
