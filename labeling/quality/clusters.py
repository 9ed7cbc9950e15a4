"""What content is about: clusters of embeddings. ``labeling.quality.names`` has the words that set each apart."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from selection.diversity import kmeans

F32 = npt.NDArray[np.float32]
I64 = npt.NDArray[np.int64]
LEAST, MOST = 40, 60  # items a cluster on average at least; clusters at most


@dataclass(frozen=True, slots=True, eq=False)
class Clusters:
    """``codes`` (n,) from 0; ``medoids`` (k,): of each cluster the row nearest to its centre, by which it is known."""

    codes: I64
    medoids: I64


def clusters(vectors: F32, seed: int = 0) -> Clusters:
    """Spherical k-means by FAISS of (n, d) unit rows: sqrt(n / 2) clusters, of 40 items on average at least, at most
    60. The same rows in the same order give the same clusters."""
    n = len(vectors)
    if n == 0:
        return Clusters(np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64))
    k = max(1, min(round((n / 2) ** 0.5), n // LEAST, MOST))
    codes, centres = kmeans(np.ascontiguousarray(vectors, dtype=np.float32), k, seed)
    used, codes = np.unique(codes, return_inverse=True)
    near = np.einsum("nd,nd->n", vectors, centres[used][codes])
    medoids = [int(rows[np.argmax(near[rows])]) for c in range(len(used)) for rows in [np.flatnonzero(codes == c)]]
    return Clusters(codes.astype(np.int64), np.array(medoids, dtype=np.int64))
